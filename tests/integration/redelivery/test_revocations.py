"""The worker's copy of what was given up, on a real server."""

import time
from collections.abc import Iterator

import pytest
import redis

from producer.connection import open_redis
from producer.keys import REVOKED, REVOKED_TTL_SECONDS
from producer.settings import Settings
from tasks.revocations import Revocations


class _Counting(Revocations):
    """Counts the entries that were read."""

    entries = 0

    async def _look(self) -> list[tuple[bytes, float]]:
        found = await super()._look()
        self.entries += len(found)
        return found


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


async def test_what_is_known_is_not_read_again_and_what_a_slow_clock_wrote_is_found(
    settings: Settings, broker: redis.Redis
) -> None:
    now = time.time() + REVOKED_TTL_SECONDS
    names = [f"{settings.queue}-{number}" for number in range(1000)]
    broker.zadd(REVOKED, dict.fromkeys(names, now - 60))
    broker.zadd(REVOKED, {settings.queue: now})
    new: list[set[str]] = []
    client = open_redis(settings.broker_url)
    revocations = _Counting(client, on_new=new.append)
    try:
        await revocations.poll()
        assert all(name in revocations for name in names)
        read = revocations.entries
        for _ in range(5):
            await revocations.poll()
        assert revocations.entries - read < 1000
        broker.zadd(REVOKED, {f"{settings.queue}-late": now - 100, f"{settings.queue}-next": now + 1})
        await revocations.poll()
        assert new[1:] == [{f"{settings.queue}-late", f"{settings.queue}-next"}]
    finally:
        await client.aclose()
        broker.zrem(REVOKED, settings.queue, *names, f"{settings.queue}-late", f"{settings.queue}-next")


async def test_a_clock_that_is_far_ahead_hides_nothing(settings: Settings, broker: redis.Redis) -> None:
    ahead, usual = f"{settings.queue}-ahead", f"{settings.queue}-usual"
    client = open_redis(settings.broker_url)
    revocations = Revocations(client)
    try:
        broker.zadd(REVOKED, {ahead: time.time() + 100 * REVOKED_TTL_SECONDS})
        await revocations.poll()
        broker.zadd(REVOKED, {usual: time.time() + REVOKED_TTL_SECONDS})
        await revocations.poll()
        assert ahead in revocations
        assert usual in revocations
    finally:
        await client.aclose()
        broker.zrem(REVOKED, ahead, usual)


async def test_what_is_revoked_is_forgotten_by_the_clock_that_is_given(settings: Settings, broker: redis.Redis) -> None:
    revoked_at = 2_000_000_000.0  # whatever this machine believes
    now = revoked_at + 60
    broker.zadd(REVOKED, {settings.queue: revoked_at + REVOKED_TTL_SECONDS})
    client = open_redis(settings.broker_url)
    revocations = Revocations(client, clock=lambda: now)
    try:
        await revocations.poll()
        assert settings.queue in revocations
        now += 3 * REVOKED_TTL_SECONDS
        await revocations.poll()
        assert settings.queue not in revocations
    finally:
        await client.aclose()
        broker.zrem(REVOKED, settings.queue)
