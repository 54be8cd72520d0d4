"""Amazon EC2: each offer is an Auto Scaling group, which chooses among its instance types and zones by itself.

A group that has nothing to give is answered by asking the next one. Instances are protected from scale-in as long as
they are wanted, so that neither a rebalance between zones nor a lowered capacity takes a busy one; they end by name,
after they were drained. The Terraform module `aws/workers` makes such groups.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import boto3
import botocore.exceptions
import msgspec
from botocore.config import Config

from producer.errors import SettingsError
from workers.scaling.providers.provider import CapacityError, Instance, ProviderError, ThrottledError
from workers.scaling.snapshot import Offer

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

T = TypeVar("T")

# https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceProtection.html
PROTECTED_AT_ONCE = 50
# https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
ENDING = ("Terminating", "Terminating:Wait", "Terminating:Proceed", "Terminated", "Detaching", "Detached")
PATIENCE = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ScalingActivityInProgress", "ResourceContention"}
)
# The newest ones. Each machine that comes up is one.
# https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
ACTIVITIES = 100
# A request is made again by botocore, with back-off, before its failure is ours.
ATTEMPTS = 4
TIMEOUT_SECONDS = 10
# Spot capacity either comes within seconds or is refused; what is neither is taken for a refusal.
UNANSWERED = timedelta(minutes=3)
# An activity's start is Amazon's clock, our question's is ours.
CLOCK_SLACK = timedelta(seconds=30)


class AwsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`groups` maps offers to Auto Scaling groups; one that is not named is the group of the offer's own name."""

    region: str = ""
    endpoint_url: str = ""  # instead of Amazon's
    groups: dict[str, str] = {}
    metrics_namespace: str = ""  # of CloudWatch, for what alarms need; empty: nothing is put there


class AwsProvider:
    """Credentials are boto3's own: an instance profile as a rule. Blocking calls run in threads, one at a time."""

    def __init__(
        self, settings: AwsSettings, offers: Sequence[Offer], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Raise SettingsError where no region is known, or two offers share a group."""
        self._offers = {offer.name: offer for offer in offers}
        self._quotas = {offer.name: offer.quota for offer in offers}
        self._groups = {name: settings.groups.get(name, name) for name in self._offers}
        if len(set(self._groups.values())) < len(self._groups):
            raise SettingsError("two offers cannot share an Auto Scaling group")
        self._client = _open_client(settings)
        self._now = now
        self._asked: dict[str, datetime] = {}

    @property
    def offers(self) -> Sequence[Offer]:
        return tuple(self._offers.values())

    async def instances(self) -> Sequence[Instance]:
        return await _call(self._instances)

    async def launch(self, offer: str, count: int) -> None:
        await _call(self._launch, offer, count)

    async def refused(self) -> Mapping[str, str]:
        return await _call(self._refused)

    async def protect(self, ids: Sequence[str]) -> None:
        await _call(self._protect, frozenset(ids))

    async def terminate(self, ids: Sequence[str]) -> None:
        await _call(self._terminate, frozenset(ids))

    async def stand_by(self) -> None:
        """Nothing: whoever leads sees the same machines."""

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    def _describe(self) -> "dict[str, AutoScalingGroupTypeDef]":
        """Each offer's group. Their MaxSize is taken over into the offers' quotas."""
        names = list(self._groups.values())
        pages = self._client.get_paginator("describe_auto_scaling_groups").paginate(AutoScalingGroupNames=names)
        groups = {group["AutoScalingGroupName"]: group for page in pages for group in page["AutoScalingGroups"]}
        if missing := sorted(set(names) - groups.keys()):
            raise ProviderError(f"there is no Auto Scaling group {missing[0]!r} in this account and region")
        for offer, name in self._groups.items():
            # From the setting each time, so that a MaxSize that is raised again counts.
            quota = min(self._quotas[offer], groups[name]["MaxSize"])
            self._offers[offer] = dataclasses.replace(self._offers[offer], quota=quota)
        return {offer: groups[name] for offer, name in self._groups.items()}

    def _instances(self) -> list[Instance]:
        return [
            Instance(id=instance, offer=offer)
            for offer, group in self._describe().items()
            for instance in _alive(group)
        ]

    def _launch(self, offer: str, count: int) -> None:
        group = self._describe()[offer]
        # From what there is and not from what was desired: an older wish that was never fulfilled is void.
        desired = min(len(_alive(group)) + count, group["MaxSize"])
        if desired <= group["DesiredCapacity"]:
            if desired < len(_alive(group)) + count:
                raise CapacityError(f"the group {group['AutoScalingGroupName']} is at its MaxSize {group['MaxSize']}")
            return
        self._asked[offer] = self._now()
        self._desire(group, desired)

    def _refused(self) -> dict[str, str]:
        refused = {}
        for offer, group in self._describe().items():
            if len(_alive(group)) >= group["DesiredCapacity"]:
                self._asked.pop(offer, None)
                continue
            # Also for a controller before this one, or by the group itself, for machines that were taken from it.
            asked = self._asked.setdefault(offer, self._now())
            why = self._failure(group, asked)
            if not why and self._now() - asked > UNANSWERED:
                why = f"nothing came within {UNANSWERED.total_seconds():.0f} s"
            if why:
                del self._asked[offer]
                refused[offer] = why
                # Else the group goes on trying, and adds to what other offers are asked for now.
                self._desire(group, len(_alive(group)))
        return refused

    def _failure(self, group: "AutoScalingGroupTypeDef", since: datetime) -> str:
        """Amazon's words on the group's latest launch that failed since then; empty when none did."""
        activities = self._client.describe_scaling_activities(
            AutoScalingGroupName=group["AutoScalingGroupName"], MaxRecords=ACTIVITIES
        )["Activities"]
        return next(
            (
                activity.get("StatusMessage", "a launch failed")
                for activity in activities
                if activity["StatusCode"] == "Failed" and activity["StartTime"] >= since - CLOCK_SLACK
            ),
            "",
        )

    def _desire(self, group: "AutoScalingGroupTypeDef", capacity: int) -> None:
        self._client.set_desired_capacity(
            AutoScalingGroupName=group["AutoScalingGroupName"],
            DesiredCapacity=max(capacity, group["MinSize"]),
            HonorCooldown=False,
        )

    def _protect(self, ids: frozenset[str]) -> None:
        for group in self._describe().values():
            bare = [
                instance["InstanceId"]
                for instance in group["Instances"]
                # Others cannot be protected: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Instance.html
                if instance["LifecycleState"] == "InService" and not instance["ProtectedFromScaleIn"]
            ]
            self._set_protection(group, [each for each in bare if each in ids], protected=True)

    def _set_protection(self, group: "AutoScalingGroupTypeDef", ids: Sequence[str], *, protected: bool) -> None:
        for first in range(0, len(ids), PROTECTED_AT_ONCE):
            self._client.set_instance_protection(
                AutoScalingGroupName=group["AutoScalingGroupName"],
                InstanceIds=ids[first : first + PROTECTED_AT_ONCE],
                ProtectedFromScaleIn=protected,
            )

    def _terminate(self, ids: frozenset[str]) -> None:
        for group in self._describe().values():
            ending = [instance for instance in _alive(group) if instance in ids]
            protected = {
                each["InstanceId"]
                for each in group["Instances"]
                if each["LifecycleState"] == "InService" and each["ProtectedFromScaleIn"]
            }
            self._set_protection(group, [each for each in ending if each in protected], protected=False)
            for instance in ending:
                # With the capacity lowered by one, so that no other is launched in its place.
                self._client.terminate_instance_in_auto_scaling_group(
                    InstanceId=instance, ShouldDecrementDesiredCapacity=True
                )


def _alive(group: "AutoScalingGroupTypeDef") -> list[str]:
    return [each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] not in ENDING]


def _open_client(settings: AwsSettings) -> "AutoScalingClient":
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
    )
    try:
        return boto3.client(
            "autoscaling",
            region_name=settings.region or None,
            endpoint_url=settings.endpoint_url or None,
            config=config,
        )
    except botocore.exceptions.NoRegionError as error:
        raise SettingsError("no AWS region is known: set region in [autoscale.aws], or AWS_REGION") from error
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        # A profile that is not there, an endpoint that is no URL.
        raise SettingsError(f"AWS cannot be used as it is set up here: {error}") from error


async def _call(work: Callable[..., T], *arguments: object) -> T:
    with _provider_errors():
        return await asyncio.to_thread(work, *arguments)


@contextmanager
def _provider_errors() -> Iterator[None]:
    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        kind = ThrottledError if code in PATIENCE or code.removesuffix("Fault") in PATIENCE else ProviderError
        raise kind(f"Auto Scaling refused: {error}") from error
    except botocore.exceptions.BotoCoreError as error:
        raise ProviderError(f"Auto Scaling cannot be asked: {error}") from error
