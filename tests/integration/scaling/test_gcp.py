"""The Google provider over HTTP, against a fake of the REST API."""

from collections.abc import AsyncIterator, Iterator

import pytest
import requests

from producer.errors import SettingsError
from tests.integration.scaling.google import MOST_DELETED, PROJECT, REGION, Google, running_google
from workers.scaling.providers.gcp import GcpProvider, GcpSettings
from workers.scaling.providers.provider import ProviderError, ThrottledError
from workers.scaling.snapshot import Offer

OFFERS = (
    Offer(name="a", slots=8, price_per_hour=0.1, quota=100),
    Offer(name="b", slots=8, price_per_hour=0.2, quota=100),
)


@pytest.fixture
def google() -> Iterator[Google]:
    with running_google() as service:
        service.make_group("group-a")
        service.make_group("b")
        yield service


@pytest.fixture
async def provider(google: Google) -> AsyncIterator[GcpProvider]:
    settings = GcpSettings(project=PROJECT, region=REGION, endpoint_url=google.url, groups={"a": "group-a"})
    opened = GcpProvider(settings, OFFERS, session=requests.Session())
    yield opened
    await opened.close()


async def ids(provider: GcpProvider) -> list[str]:
    return [each.id for each in await provider.instances()]


async def test_what_is_launched_is_listed_under_its_offer(provider: GcpProvider) -> None:
    await provider.launch("a", 2)
    await provider.launch("b", 1)
    assert [each.offer for each in await provider.instances()] == ["a", "a", "b"]


async def test_a_group_of_many_pages_is_read_to_its_end(provider: GcpProvider, google: Google) -> None:
    google.groups["group-a"].page_size = 3
    await provider.launch("a", 8)
    assert len(set(await ids(provider))) == 8


async def test_a_drained_machine_ends_by_name_and_no_other_comes_for_it(provider: GcpProvider, google: Google) -> None:
    await provider.launch("a", 3)
    first, *others = await ids(provider)
    await provider.terminate([first])
    assert await ids(provider) == others
    google.finish()
    assert google.groups["group-a"].size == 2


async def test_ending_what_is_ending_or_gone_is_no_error(provider: GcpProvider, google: Google) -> None:
    await provider.launch("a", 1)
    [machine] = await ids(provider)
    await provider.terminate([machine])
    await provider.terminate([machine, "never-was"])
    google.finish()
    await provider.terminate([machine])
    assert await ids(provider) == []


async def test_a_group_without_capacity_is_named_and_what_it_could_not_create_is_given_up(
    provider: GcpProvider, google: Google
) -> None:
    await provider.launch("a", 1)
    google.groups["group-a"].dry = True
    await provider.launch("a", 3)
    assert len(await ids(provider)) == 1
    reason = "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: not enough resources"
    assert await provider.refused() == {"a": reason}
    google.finish()
    assert google.groups["group-a"].size == 1
    assert await provider.refused() == {}


async def test_a_preempted_machine_is_not_listed(provider: GcpProvider, google: Google) -> None:
    await provider.launch("a", 2)
    google.groups["group-a"].instances[0]["instanceStatus"] = "STOPPING"
    assert len(await ids(provider)) == 1


async def test_a_group_never_gets_smaller_than_with_what_it_will_make_anew(
    provider: GcpProvider, google: Google
) -> None:
    await provider.launch("a", 5)
    for instance in google.groups["group-a"].instances[:3]:
        instance["instanceStatus"] = "TERMINATED"  # preempted
    await provider.launch("a", 1)  # one of those three
    assert google.groups["group-a"].size == 5
    await provider.launch("a", 4)
    assert google.groups["group-a"].size == 6


async def test_a_preempted_machine_that_cannot_be_made_anew_is_given_up(provider: GcpProvider, google: Google) -> None:
    await provider.launch("a", 2)
    google.groups["group-a"].instances[0] |= {
        "currentAction": "RECREATING",
        "instanceStatus": "",
        "lastAttempt": {"errors": {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED"}]}},
    }
    assert len(await ids(provider)) == 1
    assert await provider.refused() == {"a": "ZONE_RESOURCE_POOL_EXHAUSTED"}
    assert google.groups["group-a"].size == 1


async def test_more_machines_than_one_request_may_name_are_ended_by_several(provider: GcpProvider) -> None:
    await provider.launch("a", MOST_DELETED + 1)
    await provider.terminate(await ids(provider))
    assert await ids(provider) == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"error": {"message": "quota"}}, ThrottledError),
        (503, {"error": {"message": "backend"}}, ThrottledError),
        (403, {"error": {"message": "x", "errors": [{"reason": "rateLimitExceeded"}]}}, ThrottledError),
        (403, {"error": {"message": "Required 'compute.instanceGroupManagers.update' permission"}}, ProviderError),
        (400, {"unexpected": "shape"}, ProviderError),
    ],
)
async def test_refusals_are_told_apart(
    provider: GcpProvider, google: Google, status: int, body: dict[str, object], kind: type[ProviderError]
) -> None:
    google.refuse.append((status, body))
    with pytest.raises(ProviderError, match=str(status)) as caught:
        await provider.instances()
    assert type(caught.value) is kind


async def test_a_group_that_is_missing_is_named(google: Google) -> None:
    settings = GcpSettings(project=PROJECT, region=REGION, endpoint_url=google.url)
    provider = GcpProvider(settings, OFFERS, session=requests.Session())
    with pytest.raises(ProviderError, match="instanceGroupManagers/a' was not found"):
        await provider.instances()
    await provider.close()


async def test_a_service_that_is_away_is_a_providers_error() -> None:
    settings = GcpSettings(project=PROJECT, region=REGION, endpoint_url="http://127.0.0.1:9")
    provider = GcpProvider(settings, OFFERS, session=requests.Session())
    with pytest.raises(ProviderError, match="cannot be asked"):
        await provider.instances()
    await provider.close()


def test_project_and_region_must_be_set() -> None:
    with pytest.raises(SettingsError, match="project and region"):
        GcpProvider(GcpSettings(), OFFERS)


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent.json")
    with pytest.raises(SettingsError, match="credentials"):
        GcpProvider(GcpSettings(project=PROJECT, region=REGION), OFFERS)
