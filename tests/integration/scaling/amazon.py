"""An Auto Scaling service for tests: moto's server, made to fail where it never does.

moto launches at once whatever is desired, even above MaxSize. Here a group can be dry: then a higher capacity is
accepted, nothing comes, and a failed activity says so, as Amazon does.
"""

import re
import threading
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

import boto3
import moto.server
from werkzeug.serving import make_server

REGION = "eu-central-1"
IMAGE = "ami-12c6146b"  # one that moto knows
SPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"


class Amazon:
    """A WSGI application. `dry` holds groups that have nothing to give, `throttle` is how many calls are refused."""

    def __init__(self) -> None:
        self.dry: set[str] = set()
        self.silent: set[str] = set()  # as dry, but no activity says so
        self.throttle = 0
        self.calls: list[str] = []
        self.url = ""
        self._clients: dict[str, Any] = {}
        self._desired: dict[str, int] = {}
        server: Any = moto.server  # its types do not export the application
        self._moto = server.DomainDispatcherApplication(server.create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return self._answer(environ, start_response)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            make: Any = boto3.client  # its stubs know only some of the services
            self._clients[service] = make(service, region_name=REGION, endpoint_url=self.url)
        return self._clients[service]

    def reset(self) -> None:
        """Forget everything but the clients."""
        self.dry.clear()
        self.silent.clear()
        self.throttle = 0
        self._desired.clear()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")).close()  # noqa: S310

    def make_group(self, name: str, *, most: int = 10) -> None:
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=most,
            AvailabilityZones=[f"{REGION}a"],
            LaunchTemplate={"LaunchTemplateName": self._template()},
            NewInstancesProtectedFromScaleIn=True,
        )

    def group(self, name: str) -> dict[str, Any]:
        groups = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        found: dict[str, Any] = groups["AutoScalingGroups"][0]
        return found

    def _template(self) -> str:
        ec2 = self.client("ec2")
        names = [each["LaunchTemplateName"] for each in ec2.describe_launch_templates()["LaunchTemplates"]]
        if "worker" not in names:
            ec2.create_launch_template(
                LaunchTemplateName="worker", LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "c7a.2xlarge"}
            )
        return "worker"

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        action, group = form.get("Action", ""), form.get("AutoScalingGroupName", "")
        self.calls.append(action)
        if self.throttle > 0:
            self.throttle -= 1
            return _xml(start_response, _error("Throttling", "Rate exceeded"), "400 Bad Request")
        is_dry = group in self.dry | self.silent
        if action == "SetDesiredCapacity":
            if is_dry and int(form["DesiredCapacity"]) > len(self.group_instances(group)):
                self._desired[group] = int(form["DesiredCapacity"])
                return _xml(start_response, _empty(action))
            self._desired.pop(group, None)
        if action == "DescribeScalingActivities":
            return _xml(start_response, _activities([group] if group in self.dry else []))
        return self._patched(self._moto(environ, start_response))

    def group_instances(self, name: str) -> list[str]:
        """What moto has, asked for without going through this application."""
        from moto.backends import get_backend  # noqa: PLC0415

        backend: Any = get_backend("autoscaling")["123456789012"][REGION]
        return [state.instance.id for state in backend.autoscaling_groups[name].instance_states]

    def _patched(self, answer: Iterable[bytes]) -> Iterable[bytes]:
        """Moto's answer, with the capacities that it was not told of. Headers say a length, so that is kept."""
        text = b"".join(answer)
        for group, desired in self._desired.items():
            found = re.search(
                rb"<AutoScalingGroupName>%s<.*?<DesiredCapacity>(\d+)<" % group.encode(), text, flags=re.DOTALL
            )
            if found is not None:
                number = b"%0*d" % (len(found[1]), desired)
                text = text[: found.start(1)] + number + text[found.end(1) :]
        return [text]


@contextmanager
def running_amazon() -> Iterator[Amazon]:
    """The service on a free port of this computer."""
    amazon = Amazon()
    server = make_server("127.0.0.1", 0, amazon, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="amazon")
    thread.start()
    amazon.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield amazon
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _xml(start_response: Any, text: str, status: str = "200 OK") -> Iterable[bytes]:
    data = text.encode()
    start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(data)))])
    return [data]


def _empty(action: str) -> str:
    return f'<{action}Response xmlns="{SPACE}"><{action}Result></{action}Result></{action}Response>'


def _error(code: str, message: str) -> str:
    return (
        f'<ErrorResponse xmlns="{SPACE}"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>'
        "</Error><RequestId>1</RequestId></ErrorResponse>"
    )


def _activities(failed: Sequence[str]) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    members = "".join(
        f"<member><ActivityId>1</ActivityId><AutoScalingGroupName>{group}</AutoScalingGroupName><Cause>a</Cause>"
        f"<StartTime>{now}</StartTime><StatusCode>Failed</StatusCode><StatusMessage>Could not launch Spot Instances. "
        "UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration.</StatusMessage></member>"
        for group in failed
    )
    return (
        f'<DescribeScalingActivitiesResponse xmlns="{SPACE}"><DescribeScalingActivitiesResult><Activities>{members}'
        "</Activities></DescribeScalingActivitiesResult></DescribeScalingActivitiesResponse>"
    )
