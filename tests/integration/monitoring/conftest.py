"""A queue of its own for each test, worker machines on it, and what Prometheus would see of them."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from producer.client import Client
from producer.connection import open_redis
from producer.settings import Settings
from tasks.stack.machine import Machine
from tasks.stack.ports import claim
from tasks.stack.valkey import Valkey
from tests.machines import worker_environ

StartMachine = Callable[..., Machine]


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return Settings(broker_url=valkey.url, queue=f"monitored-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def fleet(settings: Settings) -> AsyncIterator[Client]:
    async with Client(settings) as client:
        yield client


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Redis]:
    redis = open_redis(settings.broker_url)
    yield redis
    await redis.aclose()


@pytest.fixture
def port() -> int:
    return claim(None, option="")


@pytest.fixture
def start_machine(settings: Settings, port: int, tmp_path: Path) -> Iterator[StartMachine]:
    """Starts a worker of the test's queue, with metrics from `port` on; all are gone when the test ends."""
    with ExitStack() as stack:
        count = iter(range(100))

        def start(*, wait: bool = True, events: bool = False, **overrides: str) -> Machine:
            overrides = {"WORKER_METRICS_PORT": str(port), **overrides}
            environ = worker_environ(settings.broker_url, settings.queue, **overrides)
            machine = Machine(f"machine{next(count)}", directory=tmp_path, environ=environ, events=events)
            stack.callback(machine.kill)
            machine.start()
            if wait:
                machine.wait_ready()
            return machine

        yield start
