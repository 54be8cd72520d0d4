"""A queue of its own for each test, and worker machines on it that can be killed."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.stack.machine import Machine
from tasks.stack.valkey import Valkey
from tests.machines import worker_environ

StartMachine = Callable[..., Machine]


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    """A client's settings that never sends again: what is lost stays lost."""
    return Settings(broker_url=valkey.url, queue=f"queue-{uuid.uuid4().hex[:8]}", resend_seconds=3600.0)


@pytest.fixture
def keys(settings: Settings) -> QueueKeys:
    return QueueKeys.of(settings.queue)


@pytest.fixture
def broker(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        yield client


@pytest.fixture
def start_machine(settings: Settings, tmp_path: Path) -> Iterator[StartMachine]:
    """Starts a worker of the test's queue and waits until it takes work; all are gone when the test ends."""
    with ExitStack() as stack:
        count = iter(range(100))

        def start(
            *, wait: bool = True, events: bool = False, environ: Mapping[str, str] | None = None, **overrides: str
        ) -> Machine:
            ours = worker_environ(
                settings.broker_url, settings.queue, **{"RESULT_URL": settings.result_url, **overrides}
            )
            machine = Machine(
                f"machine{next(count)}", directory=tmp_path, environ={**ours, **(environ or {})}, events=events
            )
            stack.callback(machine.kill)
            machine.start()
            if wait:
                machine.wait_ready()
            return machine

        yield start


@pytest.fixture
def nothing_left(broker: redis.Redis, keys: QueueKeys) -> Callable[[], bool]:
    """Whether queue, leases and every consumer's `taken` list are empty."""

    def check() -> bool:
        taken = broker.zrange(keys.consumers, 0, -1)
        return not broker.exists(keys.queue, keys.leased, keys.leases, keys.losses, *taken)

    return check
