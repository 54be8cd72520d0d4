"""Notices, from a metadata service that behaves as the clouds' do."""

from collections.abc import Iterator

import pytest

from producer.errors import SettingsError
from tests.metadata import PREEMPTED, REBALANCE, SPOT_ACTION, Metadata, metadata_service
from workers.preemption import GCP_NOTICE_SECONDS, MARGIN_SECONDS, REBALANCE_SECONDS, Watcher, interruption

DAY = 86_400.0


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    with metadata_service() as server:
        yield server


def watcher(provider: str, metadata: Metadata) -> Watcher:
    return Watcher(provider, url=metadata.url, poll_seconds=0.01)


async def test_an_interruption_on_aws_leaves_the_time_that_it_names(metadata: Metadata) -> None:
    metadata.pages[SPOT_ACTION] = '{"action": "terminate", "time": "2999-01-01T00:00:00Z"}'
    notice = await watcher("aws", metadata).wait()
    assert notice.reason == "AWS will terminate this machine"
    assert notice.grace_seconds > DAY


async def test_a_likely_interruption_lets_what_runs_finish(metadata: Metadata) -> None:
    metadata.pages[REBALANCE] = '{"noticeTime": "2999-01-01T00:00:00Z"}'
    assert (await watcher("aws", metadata).wait()).grace_seconds == REBALANCE_SECONDS


async def test_a_token_that_ended_is_renewed(metadata: Metadata) -> None:
    watching = watcher("aws", metadata)
    assert watching._aws() is None
    metadata.token = "second"  # noqa: S105 - as above
    metadata.pages[SPOT_ACTION] = '{"action": "stop", "time": "2999-01-01T00:00:00Z"}'
    assert (await watching.wait()).reason == "AWS will stop this machine"
    assert metadata.tokens_given == 2


async def test_a_preemption_on_gcp_leaves_less_than_thirty_seconds(metadata: Metadata) -> None:
    metadata.pages[PREEMPTED] = "FALSE"
    watching = watcher("gcp", metadata)
    assert watching._gcp() is None
    metadata.pages[PREEMPTED] = "TRUE"
    assert (await watching.wait()).grace_seconds == GCP_NOTICE_SECONDS - MARGIN_SECONDS


async def test_a_service_that_is_away_is_asked_again(metadata: Metadata, caplog: pytest.LogCaptureFixture) -> None:
    watching = watcher("gcp", metadata)
    looks = iter([OSError("away"), OSError("away")])

    def look() -> object:
        if (error := next(looks, None)) is not None:
            raise error
        return Watcher._gcp(watching)

    watching._look = look  # type: ignore[assignment] # gives what the real one gives, later
    metadata.pages[PREEMPTED] = "TRUE"
    await watching.wait()
    assert [record.message for record in caplog.records].count(
        f"cannot ask {metadata.url} whether this machine is preempted: away"
    ) == 1


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"action": "terminate", "time": "soon"}', '{"time": 3}'])
def test_an_announcement_in_an_unknown_form_leaves_no_time(body: str) -> None:
    assert interruption(body, now=0.0).grace_seconds == 0


def test_a_time_that_is_past_leaves_none() -> None:
    assert interruption('{"action": "terminate", "time": "2017-09-18T08:22:00Z"}', now=2e9).grace_seconds == 0


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(SettingsError, match="aws or gcp"):
        Watcher("azure")
