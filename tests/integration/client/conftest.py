import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from producer.client import Client
from producer.settings import Settings
from tasks.stack.valkey import Valkey
from tests.integration.client.responder import Responder


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    """A queue of one's own on the shared broker."""
    return Settings(broker_url=valkey.url, queue=f"test-{uuid.uuid4().hex}")


@pytest.fixture
def server(valkey: Valkey) -> Iterator["redis.Redis"]:
    """The shared broker, to look into."""
    with redis.Redis.from_url(valkey.url) as client:
        yield client


@pytest.fixture
def responder(settings: Settings) -> Iterator[Responder]:
    with Responder(url=settings.broker_url, queue=settings.queue) as running:
        yield running


@pytest.fixture
async def fleet(settings: Settings) -> AsyncIterator[Client]:
    async with Client(settings) as client:
        yield client


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test alone, which may kill it and start it again: what it holds survives."""
    with Valkey(tmp_path / "valkey") as running:
        yield running
