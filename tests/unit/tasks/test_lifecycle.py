"""The last moments of a worker, when Celery's threads may still begin something."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from producer.operation import RunCode
from tasks.delivery import Delivery
from tasks.errors import ReleasedError
from tasks.lifecycle import Operations
from tasks.pool import OperationPool
from tasks.redelivery.settings import RedeliverySettings
from tasks.request import OperationRequest
from tasks.runtime import Runtime, current_runtime, set_current_runtime


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    def engine() -> None:
        raise AssertionError("it is never opened")

    runtime = Runtime(engine, reply_url="redis://127.0.0.1:1", queue="queue", redelivery=RedeliverySettings())  # type: ignore[arg-type]
    set_current_runtime(runtime)
    yield runtime
    set_current_runtime(None)


def test_what_a_thread_begins_after_the_end_is_handed_back_and_not_failed(runtime: Runtime) -> None:
    step = Operations(None)
    step._runtime = runtime
    step.terminate(None)
    found = current_runtime()
    assert found is not None, "a task would fail for want of a worker, and be acknowledged"
    with pytest.raises(ReleasedError):
        found.execute(RunCode(code="#eval 1"), Delivery(id="id", kind="run_code"))


def test_a_worker_does_not_end_before_its_deliveries_were_let_go(runtime: Runtime) -> None:
    """The loop counts for RabbitMQ what is handed back: one that has ended would have it pass for a loss."""
    telling: Future[Any] = Future()
    ended: Future[Any] = Future()
    ended.add_done_callback(lambda _: runtime.end_after(telling))
    runtime.submit(RunCode(code="#eval 1"), Delivery(id="id", kind="run_code"), ended)
    assert ended.cancelled()
    idle = threading.Thread(target=runtime.wait_idle, daemon=True)
    idle.start()
    idle.join(0.2)
    assert idle.is_alive()
    telling.set_result(None)
    idle.join(60)
    assert not idle.is_alive()


def test_a_worker_does_not_end_before_celerys_threads_have_let_go_either(runtime: Runtime) -> None:
    class Call(OperationRequest):
        def __init__(self) -> None:
            """Of Celery's own API, with nothing in it."""

        def client_call(self) -> None:
            return None

        def on_success(self, *_: object, **__: object) -> None:
            return None

    handed_back = threading.Event()
    pool = OperationPool(1)
    try:
        pool.on_apply(handed_back.wait, (), {}, callback=Call().on_success)
        idle = threading.Thread(target=runtime.wait_idle, daemon=True)
        idle.start()
        idle.join(0.2)
        assert idle.is_alive()
        handed_back.set()
        idle.join(60)
        assert not idle.is_alive()
    finally:
        handed_back.set()
        pool.on_stop()
