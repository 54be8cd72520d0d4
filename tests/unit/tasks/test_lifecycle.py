"""The last moments of a worker, when Celery's threads may still begin something."""

from collections.abc import Iterator

import pytest

from producer.operation import RunCode
from tasks.delivery import Delivery
from tasks.errors import ReleasedError
from tasks.lifecycle import Operations
from tasks.redelivery.settings import RedeliverySettings
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
