"""A queue of its own for each test, a cloud that obeys, and workers that say what they are told to say."""

import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from producer.connection import open_redis
from producer.settings import Settings
from tasks.stack.valkey import Valkey
from workers.scaling.observer import Observer
from workers.telemetry import drain_key


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return Settings(broker_url=valkey.url, queue=f"scaling-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    client = open_redis(settings.reply_url)
    await client.delete(*[drain_key(f"m{number}") for number in range(100)])
    yield client
    await client.aclose()


@pytest.fixture
async def observer(settings: Settings, redis: Redis) -> AsyncIterator[Observer]:
    opened = Observer(settings, redis)
    yield opened
    await opened.close()
