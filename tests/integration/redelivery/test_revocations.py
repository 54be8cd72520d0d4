"""The worker's copy of what was given up, on a real server."""

import time
from collections.abc import Iterator

import pytest
import redis

from producer.connection import open_redis
from producer.keys import REVOKED
from producer.settings import Settings
from tasks.revocations import Revocations


@pytest.fixture(autouse=True)
def _nonsense(broker: redis.Redis) -> Iterator[None]:
    broker.zadd(REVOKED, {b"\xff\xfe": time.time()})
    yield
    broker.zrem(REVOKED, b"\xff\xfe")


async def test_nonsense_among_them_hides_none(settings: Settings, broker: redis.Redis) -> None:
    broker.zadd(REVOKED, {settings.queue: time.time()})
    client = open_redis(settings.broker_url)
    revocations = Revocations(client)
    await revocations.poll()
    await client.aclose()
    assert settings.queue in revocations
