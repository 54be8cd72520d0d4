"""A worker whose process lives and whose event loop does not: what it holds goes to others."""

import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import redis

from producer.operation import RunCode
from producer.outcome import Outcome
from producer.result import RunCodeResult
from producer.settings import Settings
from tasks.carrier import Engine
from tasks.delivery import Delivery
from tasks.redelivery.connection import LeaseConnection
from tasks.redelivery.keeper import Keeper
from tasks.redelivery.keys import QueueKeys
from tasks.redelivery.settings import RedeliverySettings
from tasks.runtime import Runtime
from tests.integration.redelivery.test_transport import Taker, push
from tests.waiting import wait_until


class Blocking:
    """An engine that holds up the loop itself."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    async def execute(self, operation: RunCode) -> RunCodeResult:  # noqa: ARG002 - an engine's signature
        self.go_on.wait()  # the defect that is meant
        return RunCodeResult(outcome=Outcome.OK)

    def stuck(self) -> dict[Any, float]:
        return {}


def test_a_loop_that_stands_still_is_known_by_others_and_one_that_goes_on_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.runtime.RESPONSIVE_SECONDS", 3.0)
    engine = Blocking()

    @asynccontextmanager
    async def open_engine() -> AsyncIterator[Engine]:
        yield cast("Engine", engine)

    runtime = Runtime(open_engine, reply_url=settings.reply_url, queue=settings.queue, redelivery=RedeliverySettings())
    runtime.start()
    try:
        wait_until(runtime.is_responsive, "its loop turns")
        future: Future[Any] = runtime.submit(RunCode(code="x"), Delivery(id="id", kind="run_code"), Future())
        wait_until(lambda: not runtime.is_responsive(), "that its loop stands still is seen")
        assert runtime.sample(0.1) is None  # and whoever asks for metrics does not hang with it
        engine.go_on.set()
        assert future.result(timeout=120).outcome is Outcome.OK
        wait_until(runtime.is_responsive, "its loop turns again")
    finally:
        engine.go_on.set()
        runtime.close()


def test_what_a_worker_holds_that_hangs_goes_to_others_when_its_lease_ends(
    broker: redis.Redis, keys: QueueKeys, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    push(broker, settings.queue)
    with LeaseConnection(settings.broker_url) as connection:
        taker = Taker(connection, settings.queue)
        taker.take(1)
        keeper = Keeper(lease_seconds=1, max_lease_seconds=60, is_healthy=lambda: False)
        keeper.attach(taker.channel, broker)
        try:
            wait_until(lambda: broker.llen(keys.queue) == 1, "it is back in the queue")
        finally:
            keeper.stop()
        assert list(cast("dict[bytes, bytes]", broker.hgetall(keys.losses)).values()) == [b"1"]
        assert "this worker does not come forward any more" in caplog.text
