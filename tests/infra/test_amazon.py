"""The example for AWS, applied to moto's server as far as that goes: it has no user groups for the broker."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
import yaml

from producer.settings import Settings, load_section
from tasks.redelivery.settings import RedeliverySettings
from tasks.reporting import MachineSettings
from tests.infra.conftest import REGION
from tests.infra.terraform import Terraform, resources
from tests.metadata import metadata_service
from tests.needs import need
from workers.scaling.cloudwatch import CloudWatch
from workers.scaling.metrics import Metrics
from workers.scaling.policy import PolicySettings
from workers.scaling.providers.aws import AwsProvider
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.snapshot import Offer
from workers.settings import WorkerSettings

pytestmark = pytest.mark.timeout(900)  # its provider waits a minute for what it has made, apart from its work
EXAMPLE = "examples/aws"
SETTINGS = ("-var", "bucket=leanfleet-states", "-var", "image_id=ami-12c6146b")
# All but ElastiCache itself, and the alarms that name its nodes.
TARGETS = [
    f"-target=module.{target}"
    for target in (
        "network",
        "bucket",
        "workers",
        "controller",
        "monitoring.aws_cloudwatch_log_group.this",
        "monitoring.aws_cloudwatch_metric_alarm.controller",
        "monitoring.aws_cloudwatch_metric_alarm.fleet",
    )
]
# Amazon accepts these for all resources alone: they know no others.
READS_OF_ALL = {"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities"}


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What was made: Terraform's state, and a way to ask moto."""

    state: dict[str, Any]
    environment: dict[str, str]
    prometheus: str  # a security group of somebody else's

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in resources(self.state["values"]["root_module"]) if each["type"] == kind]

    def one(self, kind: str, address: str) -> dict[str, Any]:
        [found] = [each["values"] for each in self.of(kind) if each["address"].startswith(address)]
        return dict(found)

    def statements(self, address: str) -> list[dict[str, Any]]:
        """Of all policies of the machines of one module."""
        policies = [each for each in self.of("aws_iam_role_policy") if each["address"].startswith(address)]
        assert policies, address
        return [statement for each in policies for statement in json.loads(each["values"]["policy"])["Statement"]]

    def files(self, address: str) -> dict[str, str]:
        """Path → text of what the user data writes."""
        encoded = self.one("aws_launch_template", address)["user_data"]
        text = base64.b64decode(encoded).decode()
        assert text.startswith("#cloud-config\n")
        return {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}

    def client(self, service: Any) -> Any:
        make: Any = boto3.client
        keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
        return make(service, region_name=REGION, endpoint_url=self.environment["AWS_ENDPOINT_URL"], **keys)


def variables(text: str) -> dict[str, str]:
    """An environment file as systemd reads it."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        assert value[0] == value[-1] == '"'
        found[name] = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return found


@pytest.fixture(scope="module")
def fleet(terraform: Terraform, amazon: dict[str, str]) -> Iterator[Fleet]:
    ec2 = Fleet(state={}, environment=amazon, prometheus="").client("ec2")
    prometheus = ec2.create_security_group(GroupName="prometheus", Description="of somebody else's")["GroupId"]
    settings = (*SETTINGS, "-var", f'metrics_security_group_ids=["{prometheus}"]')
    terraform.must(EXAMPLE, "apply", "-auto-approve", "-no-color", *settings, *TARGETS)
    yield Fleet(state=terraform.show(EXAMPLE), environment=amazon, prometheus=prometheus)
    terraform.must(EXAMPLE, "destroy", "-auto-approve", "-no-color", *settings)


@pytest.fixture(scope="module")
def plan(terraform: Terraform) -> dict[str, Any]:
    """Of the whole example, the broker included."""
    terraform.must(EXAMPLE, "plan", "-no-color", "-out=whole", "-state=none", *SETTINGS)
    return terraform.show(EXAMPLE, "whole")


@pytest.mark.parametrize("machines", ['module.workers["compute"]', 'module.workers["general"]', "module.controller"])
def test_no_right_is_a_wildcard(fleet: Fleet, machines: str) -> None:
    for statement in fleet.statements(machines):
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"]), statement
        if set(statement["Action"]) == READS_OF_ALL:
            continue
        if statement["Action"] == ["cloudwatch:PutMetricData"]:
            # Amazon knows no resources here, too: its namespace confines it.
            assert statement["Condition"]["StringEquals"]["cloudwatch:namespace"].startswith("LeanFleet/")
            continue
        assert statement["Resource"], statement
        for resource in statement["Resource"]:
            plain = re.sub(r"(/states/[a-z-]+/|:log-stream:)\*$", "", resource)
            assert plain.count("*") == 0, statement
            assert resource.startswith("arn:aws:"), statement


def allowed(statements: list[dict[str, Any]], action: str, resource: str) -> bool:
    return any(
        action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in statements
    )


def test_workers_read_and_write_their_prefix_and_nothing_else(fleet: Fleet) -> None:
    statements = fleet.statements('module.workers["compute"]')
    for action in ("s3:GetObject", "s3:PutObject"):
        assert allowed(statements, action, "arn:aws:s3:::leanfleet-states/states/blobs/ab/cdef")
        assert not allowed(
            statements, action, "arn:aws:s3:::leanfleet-states/states/batches/data/b/results/0001/0.jsonl.gz"
        )
        assert not allowed(statements, action, "arn:aws:s3:::leanfleet-states/elsewhere")
        assert not allowed(statements, action, "arn:aws:s3:::another/states/blobs/ab/cdef")
    assert not allowed(statements, "s3:DeleteObject", "arn:aws:s3:::leanfleet-states/states/recipes/ab/cdef")


def test_only_workers_can_read_the_key_that_signs_pickles(fleet: Fleet) -> None:
    [keys] = [each["values"]["arn"] for each in fleet.of("aws_secretsmanager_secret") if "bucket" in each["address"]]
    assert allowed(fleet.statements('module.workers["compute"]'), "secretsmanager:GetSecretValue", keys)
    assert not allowed(fleet.statements("module.controller"), "secretsmanager:GetSecretValue", keys)


def test_everyone_reads_the_url_of_its_own_user_alone(fleet: Fleet) -> None:
    urls = {
        each["index"]: each["values"]["arn"]
        for each in fleet.of("aws_secretsmanager_secret")
        if each["address"].startswith("module.broker.aws_secretsmanager_secret.url")
    }
    machines = {"worker": 'module.workers["compute"]', "operator": "module.controller"}
    assert set(urls) == {*machines, "producer"}
    for user, address in machines.items():
        statements = fleet.statements(address)
        assert [name for name, arn in urls.items() if allowed(statements, "secretsmanager:GetSecretValue", arn)] == [
            user
        ]


def test_the_controller_sizes_its_own_groups_alone(fleet: Fleet) -> None:
    statements = fleet.statements("module.controller")
    own = [each["values"]["arn"] for each in fleet.of("aws_autoscaling_group") if "workers" in each["address"]]
    assert len(own) == 2
    for action in ("SetDesiredCapacity", "SetInstanceProtection", "TerminateInstanceInAutoScalingGroup"):
        assert all(allowed(statements, f"autoscaling:{action}", arn) for arn in own)
        assert not allowed(
            statements, f"autoscaling:{action}", fleet.one("aws_autoscaling_group", "module.controller")["arn"]
        )
    assert not any("s3:" in action for statement in statements for action in statement["Action"])


def test_no_secret_is_in_the_state_nor_in_user_data(fleet: Fleet) -> None:
    [arn] = [each["values"]["arn"] for each in fleet.of("aws_secretsmanager_secret") if "bucket" in each["address"]]
    secret = fleet.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    assert len(secret) == 48
    assert secret not in json.dumps(fleet.state)
    for machines in ('module.workers["compute"]', "module.controller"):
        files = fleet.files(machines)
        assert secret not in json.dumps(files)
        assert (
            set(json.loads(files["/etc/leanfleet/secrets.json"])) & set(variables(files["/etc/leanfleet/machine.env"]))
            == set()
        )


def test_no_output_of_the_whole_plan_is_a_secret(plan: dict[str, Any]) -> None:
    outputs = plan["planned_values"]["outputs"]
    assert outputs
    assert not any(output["sensitive"] for output in outputs.values())
    # A password goes to its user and nowhere else: what has it is sensitive, and what is sensitive is no output.
    users = [
        each for each in resources(plan["planned_values"]["root_module"]) if each["type"] == "aws_elasticache_user"
    ]
    assert {each["index"] for each in users} == {"worker", "operator", "producer"}
    assert all(each["sensitive_values"]["authentication_mode"][0]["passwords"] for each in users)
    broker = json.dumps(plan["configuration"]["root_module"]["module_calls"]["broker"]["module"]["outputs"])
    assert "password" not in broker


def test_new_machines_are_protected_and_on_spot(fleet: Fleet) -> None:
    groups = fleet.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    workers = [group for group in groups if "controller" not in group["AutoScalingGroupName"]]
    assert len(workers) == 2
    for group in workers:
        assert group["NewInstancesProtectedFromScaleIn"]
        assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (0, 0, 60)
        spread = group["MixedInstancesPolicy"]["InstancesDistribution"]
        assert spread["OnDemandPercentageAboveBaseCapacity"] == 0
        assert spread["SpotAllocationStrategy"] == "capacity-optimized"


def test_the_bucket_is_closed_and_recipes_stay(fleet: Fleet) -> None:
    s3 = fleet.client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket="leanfleet-states")["Rules"]
    assert {rule["Filter"]["Prefix"] for rule in rules} == {"states/blobs/", "states/exports/"}
    assert all(s3.get_public_access_block(Bucket="leanfleet-states")["PublicAccessBlockConfiguration"].values())
    [statement] = json.loads(s3.get_bucket_policy(Bucket="leanfleet-states")["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert s3.get_bucket_encryption(Bucket="leanfleet-states")["ServerSideEncryptionConfiguration"]["Rules"]


def test_machines_have_no_way_to_the_internet(fleet: Fleet) -> None:
    assert fleet.of("aws_internet_gateway") == fleet.of("aws_nat_gateway") == []
    rules = fleet.of("aws_vpc_security_group_egress_rule") + fleet.of("aws_vpc_security_group_ingress_rule")
    assert rules
    assert not any(rule["values"].get("cidr_ipv4") == "0.0.0.0/0" for rule in rules)


def test_only_a_prometheus_that_was_named_can_scrape(fleet: Fleet) -> None:
    rules = [each["values"] for each in fleet.of("aws_vpc_security_group_ingress_rule") if "metrics" in each["address"]]
    assert {rule["referenced_security_group_id"] for rule in rules} == {fleet.prometheus}
    assert {(rule["from_port"], rule["to_port"]) for rule in rules} == {(9108, 9108), (9109, 9112)}


async def test_alarms_get_what_the_controller_tells(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the names that both were given: an alarm without data would be silent for ever."""
    (tmp_path / "leanfleet.toml").write_text(fleet.files("module.controller")["/etc/leanfleet/leanfleet.toml"])
    settings = load_section("autoscale", AutoscaleSettings, environ={}, directory=tmp_path).aws
    for name, value in fleet.environment.items():
        monkeypatch.setenv(name, value)
    cloudwatch = CloudWatch(
        msgspec.structs.replace(settings, endpoint_url=fleet.environment["AWS_ENDPOINT_URL"]),
        Metrics(),
        Settings().queue,
    )
    await cloudwatch.tell()
    await cloudwatch.close()
    listed = fleet.client("cloudwatch").list_metrics()["Metrics"]
    told = {(each["Namespace"], each["MetricName"], str(each["Dimensions"])) for each in listed}
    alarms = [each["values"] for each in fleet.of("aws_cloudwatch_metric_alarm") if "fleet[" in each["address"]]
    assert len(alarms) == 3
    for alarm in alarms:
        dimensions = str([{"Name": name, "Value": value} for name, value in alarm["dimensions"].items()])
        assert (alarm["namespace"], alarm["metric_name"], dimensions) in told


async def test_the_controller_can_work_with_what_it_is_told(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fleet.files("module.controller")
    (tmp_path / "leanfleet.toml").write_text(files["/etc/leanfleet/leanfleet.toml"], encoding="utf-8")
    settings = load_section("autoscale", AutoscaleSettings, environ={}, directory=tmp_path)
    assert settings.provider == "aws"
    assert load_section("policy", PolicySettings, environ={}, directory=tmp_path).max_machines == 100
    for name, value in fleet.environment.items():
        monkeypatch.setenv(name, value)
    aws = msgspec.structs.replace(settings.aws, endpoint_url=fleet.environment["AWS_ENDPOINT_URL"])
    offers = [
        Offer(name=each.name, slots=each.slots, price_per_hour=each.price_per_hour, quota=each.quota)
        for each in settings.offers
    ]
    provider = AwsProvider(aws, offers)
    try:
        assert await provider.instances() == []
        assert {offer.quota for offer in provider.offers} == {60}
    finally:
        await provider.close()


def test_workers_understand_what_they_are_told(fleet: Fleet) -> None:
    files = fleet.files('module.workers["compute"]')
    assert tomllib.loads(files["/etc/leanfleet/leanfleet.toml"]) == {}
    environ = variables(files["/etc/leanfleet/machine.env"])
    environ.pop("LEANFLEET_CONFIG")
    settings = load_section("", Settings, environ=environ)
    assert settings.store_url == "s3://leanfleet-states/states"
    assert load_section("machine", MachineSettings, environ=environ).provider == "aws"
    assert load_section("worker", WorkerSettings, environ=environ) == WorkerSettings(metrics_address="0.0.0.0")  # noqa: S104
    grace = load_section("redelivery", RedeliverySettings, environ=environ).grace_seconds
    unit = files["/etc/systemd/system/leanfleet.service"]
    [stop] = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("TimeoutStopSec=")]
    assert grace < float(stop) < 120, "longer than the grace, and within Amazon's notice"


def test_systemd_accepts_the_unit(fleet: Fleet, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    need("systemd-analyze", "" if verify else "systemd-analyze is not installed")
    assert verify is not None
    unit = fleet.files('module.workers["compute"]')["/etc/systemd/system/leanfleet.service"]
    for program in ("python", "leanfleet"):
        unit = unit.replace(f"/opt/leanfleet/bin/{program}", "/bin/true")
    path = tmp_path / "leanfleet.service"
    path.write_text(unit, encoding="utf-8")
    done = subprocess.run([verify, "verify", str(path)], check=False, capture_output=True, text=True, timeout=120)
    assert "leanfleet.service" not in done.stderr, done.stderr


def test_a_machine_finds_out_who_it_is_and_what_its_secrets_are(fleet: Fleet, tmp_path: Path) -> None:
    files = fleet.files('module.workers["compute"]')
    secrets = json.loads(files["/etc/leanfleet/secrets.json"])
    url = 'rediss://fleet:pass"word\\@broker:6379/0'
    fleet.client("secretsmanager").put_secret_value(SecretId=secrets["LEANFLEET_BROKER_URL"], SecretString=url)
    (tmp_path / "identify.py").write_text(files["/usr/local/lib/leanfleet/identify.py"], encoding="utf-8")
    (tmp_path / "secrets.json").write_text(json.dumps(secrets), encoding="utf-8")
    with metadata_service() as metadata:
        metadata.pages["/latest/meta-data/instance-id"] = "i-0123456789"
        environment = {
            **os.environ,
            **fleet.environment,
            "LEANFLEET_MACHINE_METADATA_URL": metadata.url,
            "RUNTIME_DIRECTORY": str(tmp_path),
        }
        command = [sys.executable, str(tmp_path / "identify.py"), str(tmp_path / "secrets.json")]
        for _ in range(2):  # a unit that is started again finds what the last start wrote
            subprocess.run(command, check=True, env=environment, timeout=120)
    written = tmp_path / "machine.env"
    assert written.stat().st_mode & 0o777 == 0o600
    found = variables(written.read_text(encoding="utf-8"))
    assert found["LEANFLEET_MACHINE_ID"] == "i-0123456789"
    assert found["LEANFLEET_BROKER_URL"] == url
    assert len(found["LEANFLEET_WORKER_BLOB_KEYS"]) == 48
