"""What a broker loses while somebody watches costs time, and no answer."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest
import redis

from producer.batch.batches import Batches
from producer.batch.snapshot import State
from producer.result import AnyResult
from producer.settings import Settings
from tests.integration.batch.test_batches import finished, lean, texts, worker
from tests.integration.client.responder import Delivery, Responder
from tests.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.usefixtures("server")


def quick(settings: Settings) -> Settings:
    """One that takes what is quiet for lost within a second."""
    return msgspec.structs.replace(settings, resend_seconds=0.2)


def short(count: int) -> list[dict[str, Any]]:
    return [{**text, "timeout_seconds": 0.1} for text in texts(count)]


async def test_a_broker_that_forgot_everything_is_told_again_by_whoever_watches(
    folder_settings: Settings, server: redis.Redis
) -> None:
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit(texts(20))).id
        watching = contextlib.aclosing(batches.watch(batch_id, every_seconds=0.02))
        async with asyncio.timeout(DEADLINE_SECONDS), watching as statuses:
            assert (await anext(statuses)).is_running
            server.flushall()
            with worker(folder_settings):
                status = [status async for status in statuses][-1]
    assert (status.state, status.verdicts) == (State.FINISHED, {"proved": 20})


async def test_messages_that_the_broker_lost_are_sent_again_and_those_alone(
    folder_settings: Settings, server: redis.Redis
) -> None:
    async with Batches(quick(folder_settings)) as batches:
        batch_id = (await batches.submit(short(8))).id
        lost = [folder_settings.queue, *server.keys(f"leanfleet:lanes:{folder_settings.queue}:*")]
        assert server.delete(*lost) > 1
        with worker(folder_settings) as responder:
            status = await finished(batches, batch_id)
    assert (status.state, status.verdicts) == (State.FINISHED, {"proved": 8})
    assert len(responder.deliveries) == 8


async def test_what_a_worker_lost_is_sent_again(folder_settings: Settings) -> None:
    seen: set[str] = set()

    def forgetful(delivery: Delivery) -> AnyResult | None:
        if delivery.header["batch"]["place"] == 3 and delivery.call_id not in seen:
            seen.add(delivery.call_id)
            return None
        return lean(delivery)

    with Responder(url=folder_settings.broker_url, queue=folder_settings.queue, answer=forgetful) as responder:
        async with Batches(quick(folder_settings)) as batches:
            status = await finished(batches, (await batches.submit(short(5))).id)
    assert status.verdicts == {"proved": 5}
    assert len(responder.deliveries) == 6
