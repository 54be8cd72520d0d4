"""The AWS provider against moto's server, and against what moto never does."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from producer.errors import SettingsError
from tests.integration.scaling.amazon import REGION, Amazon, running_amazon
from workers.scaling.providers.aws import UNANSWERED, AwsProvider, AwsSettings
from workers.scaling.providers.provider import CapacityError, ProviderError, ThrottledError
from workers.scaling.snapshot import Offer


class Clock:
    """The provider's clock: real, and moved on by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="module")
def service() -> Iterator[Amazon]:
    with pytest.MonkeyPatch.context() as patch, running_amazon() as running:
        for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(f"AWS_{name}", value)
        yield running


@pytest.fixture
def amazon(service: Amazon) -> Amazon:
    service.reset()
    return service


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider(amazon: Amazon, clock: Clock) -> AsyncIterator[AwsProvider]:
    amazon.make_group("group-a", most=5)
    amazon.make_group("group-b")
    offers = [
        Offer(name="a", slots=8, price_per_hour=0.1, quota=100),
        Offer(name="b", slots=8, price_per_hour=0.2, quota=3),
    ]
    settings = AwsSettings(region=REGION, endpoint_url=amazon.url, groups={"a": "group-a", "b": "group-b"})
    opened = AwsProvider(settings, offers, now=clock)
    yield opened
    await opened.close()


async def test_what_is_launched_is_listed_under_its_offer(provider: AwsProvider) -> None:
    await provider.launch("a", 3)
    await provider.launch("b", 1)
    assert [each.offer for each in await provider.instances()] == ["a", "a", "a", "b"]
    assert len({each.id for each in await provider.instances()}) == 4


async def test_a_groups_max_size_is_the_quota_while_it_is_smaller(amazon: Amazon, provider: AwsProvider) -> None:
    await provider.instances()
    assert {offer.name: offer.quota for offer in provider.offers} == {"a": 5, "b": 3}
    amazon.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="group-a", MaxSize=50)
    await provider.instances()
    assert {offer.name: offer.quota for offer in provider.offers} == {"a": 50, "b": 3}


async def test_never_more_is_desired_than_max_size(amazon: Amazon, provider: AwsProvider) -> None:
    await provider.launch("a", 7)
    assert amazon.group("group-a")["DesiredCapacity"] == 5
    with pytest.raises(CapacityError, match="MaxSize 5"):
        await provider.launch("a", 1)


async def test_a_wish_that_is_repeated_before_it_is_fulfilled_is_the_same_wish(
    amazon: Amazon, provider: AwsProvider
) -> None:
    amazon.silent.add("group-a")
    await provider.launch("a", 2)
    await provider.launch("a", 2)
    assert amazon.group("group-a")["DesiredCapacity"] == 2


async def test_a_drained_machine_ends_and_no_other_comes_for_it(amazon: Amazon, provider: AwsProvider) -> None:
    await provider.launch("a", 3)
    first, *others = [each.id for each in await provider.instances()]
    await provider.terminate([first])
    assert [each.id for each in await provider.instances()] == others
    assert amazon.group("group-a")["DesiredCapacity"] == 2


async def test_ending_what_is_gone_is_no_error(provider: AwsProvider) -> None:
    await provider.launch("a", 1)
    [machine] = await provider.instances()
    await provider.terminate([machine.id])
    await provider.terminate([machine.id, "i-00000000000000000"])
    assert await provider.instances() == []


async def test_wanted_machines_are_protected_from_scale_in(amazon: Amazon, provider: AwsProvider) -> None:
    await provider.launch("a", 3)
    first, second, third = [each.id for each in await provider.instances()]
    amazon.client("autoscaling").set_instance_protection(
        AutoScalingGroupName="group-a", InstanceIds=[first, second, third], ProtectedFromScaleIn=False
    )
    await provider.protect([first, third])
    protected = {each["InstanceId"]: each["ProtectedFromScaleIn"] for each in amazon.group("group-a")["Instances"]}
    assert protected == {first: True, second: False, third: True}
    calls = len(amazon.calls)
    await provider.protect([first, third])
    assert "SetInstanceProtection" not in amazon.calls[calls:]


async def test_a_group_without_capacity_is_named_and_not_asked_any_more(amazon: Amazon, provider: AwsProvider) -> None:
    await provider.launch("a", 1)
    amazon.dry.add("group-a")
    await provider.launch("a", 3)
    assert amazon.group("group-a")["DesiredCapacity"] == 4
    refused = await provider.refused()
    assert set(refused) == {"a"}
    assert "UnfulfillableCapacity" in refused["a"]
    assert amazon.group("group-a")["DesiredCapacity"] == 1
    assert await provider.refused() == {}


async def test_a_wish_that_is_never_answered_is_taken_for_a_refusal(
    amazon: Amazon, provider: AwsProvider, clock: Clock
) -> None:
    amazon.silent.add("group-b")
    await provider.launch("b", 2)
    assert await provider.refused() == {}
    clock.ahead = UNANSWERED + timedelta(seconds=1)
    assert await provider.refused() == {"b": "nothing came within 180 s"}
    assert amazon.group("group-b")["DesiredCapacity"] == 0


async def test_a_predecessors_wish_is_given_up_as_ones_own_is(amazon: Amazon, provider: AwsProvider) -> None:
    amazon.client("autoscaling").set_desired_capacity(AutoScalingGroupName="group-b", DesiredCapacity=1)
    amazon.dry.add("group-b")
    amazon.client("autoscaling").set_desired_capacity(AutoScalingGroupName="group-b", DesiredCapacity=3)
    await provider.launch("b", 2)  # is what is desired already
    assert set(await provider.refused()) == {"b"}
    assert amazon.group("group-b")["DesiredCapacity"] == 1


async def test_failures_from_before_the_wish_do_not_count(amazon: Amazon, provider: AwsProvider, clock: Clock) -> None:
    amazon.silent.add("group-a")
    clock.ahead = timedelta(minutes=2)
    await provider.launch("a", 1)
    amazon.dry.add("group-a")  # its failed activity is of now, two minutes before
    assert await provider.refused() == {}


async def test_a_short_rate_limit_is_waited_out(amazon: Amazon, provider: AwsProvider) -> None:
    amazon.throttle = 1
    assert await provider.instances() == []


async def test_a_long_rate_limit_is_told_as_one(amazon: Amazon, provider: AwsProvider) -> None:
    amazon.throttle = 100
    with pytest.raises(ThrottledError, match="Rate exceeded"):
        await provider.instances()


async def test_a_group_that_is_missing_is_named(amazon: Amazon) -> None:
    settings = AwsSettings(region=REGION, endpoint_url=amazon.url)
    provider = AwsProvider(settings, [Offer(name="nowhere", slots=1, price_per_hour=1, quota=1)])
    with pytest.raises(ProviderError, match="'nowhere'"):
        await provider.instances()
    await provider.close()


@pytest.mark.usefixtures("amazon")
async def test_a_service_that_is_away_is_a_providers_error() -> None:
    lost = AwsProvider(
        AwsSettings(region=REGION, endpoint_url="http://127.0.0.1:9"),
        [Offer(name="a", slots=1, price_per_hour=1, quota=1)],
    )
    with pytest.raises(ProviderError, match="cannot be asked"):
        await lost.instances()
    await lost.close()


def test_without_a_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(SettingsError, match="region"):
        AwsProvider(AwsSettings(), [])


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(SettingsError, match="nobodys"):
        AwsProvider(AwsSettings(region=REGION), [])


def test_two_offers_cannot_be_one_group() -> None:
    offers = [Offer(name=name, slots=1, price_per_hour=1, quota=1) for name in ("a", "b")]
    with pytest.raises(SettingsError, match="share"):
        AwsProvider(AwsSettings(region=REGION, groups={"a": "x", "b": "x"}), offers)
