import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from producer.batch.batches import Batches
from producer.settings import Settings
from tasks.stack.valkey import Valkey


@pytest.fixture(params=["file", "s3"])
def settings(
    request: pytest.FixtureRequest, valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A queue and a store of one's own."""
    queue = f"test-{uuid.uuid4().hex}"
    if request.param == "file":
        return Settings(broker_url=valkey.url, queue=queue, store_url=(tmp_path / "store").as_uri())
    s3 = request.getfixturevalue("s3")
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return Settings(
        broker_url=valkey.url,
        queue=queue,
        store_url=f"s3://{s3.bucket}/{uuid.uuid4().hex}",
        store_endpoint_url=s3.endpoint_url,
    )


@pytest.fixture
def folder_settings(valkey: Valkey, tmp_path: Path) -> Settings:
    """As `settings`, for what has nothing to do with the kind of store."""
    return Settings(broker_url=valkey.url, queue=f"test-{uuid.uuid4().hex}", store_url=(tmp_path / "store").as_uri())


@pytest.fixture
def server(valkey: Valkey) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()  # batches are named by their content, and tests submit the same
        yield client


@pytest.fixture
async def batches(settings: Settings) -> AsyncIterator[Batches]:
    async with Batches(settings) as opened:
        yield opened
