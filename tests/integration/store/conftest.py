"""One suite over every kind of store: a folder, and a bucket on a real S3 server."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from producer.settings import Settings
from producer.store import AsyncStore, open_store
from tasks.stack.seaweed import Seaweed


@pytest.fixture
def s3_settings(s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A prefix of its own in the session's bucket, with credentials where Amazon's tools look for them."""
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return Settings(
        store_url=f"s3://{s3.bucket}/{uuid.uuid4().hex}", store_endpoint_url=s3.endpoint_url, store_timeout_seconds=30
    )


@pytest.fixture(params=["file", "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "file":
        return Settings(store_url=(tmp_path / "store").as_uri())
    s3_settings: Settings = request.getfixturevalue("s3_settings")
    return s3_settings


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[AsyncStore]:
    async with open_store(settings) as opened:
        yield opened


@pytest.fixture
async def machines(settings: Settings) -> AsyncIterator[list[AsyncStore]]:
    """The same store as 20 machines open it: none knows what another one is writing."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(settings)) for _ in range(20)]
