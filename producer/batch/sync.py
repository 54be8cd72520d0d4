"""Batches for code without an event loop."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

from producer.batch.batches import Batches
from producer.batch.status import Status
from producer.blocking import Blocking, blocking

T = TypeVar("T")


class Wait(Protocol):
    """Runs a coroutine on the client's loop and waits for it."""

    def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


class SyncBatches(Blocking[Batches]):
    """`Batches`, with methods that block. What they take and raise is said there."""

    def __init__(self, batches: Callable[[], Batches], wait: Wait) -> None:
        self._batches = batches
        self._wait_for = wait

    def _target(self) -> Batches:
        return self._batches()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._wait_for(work)

    submit_files = blocking(Batches.submit_files)
    submit = blocking(Batches.submit)
    rerun = blocking(Batches.rerun)
    status = blocking(Batches.status)
    results = blocking(Batches.results)
    diff = blocking(Batches.diff)
    all = blocking(Batches.all)
    remove = blocking(Batches.remove)
    cancel = blocking(Batches.cancel)

    def watch(self, batch_id: str, *, every_seconds: float = 1.0) -> Generator[Status]:
        watching = self._batches().watch(batch_id, every_seconds=every_seconds)
        try:
            while (status := self._wait(anext(watching, None))) is not None:
                yield status
        finally:
            self._wait(watching.aclose())
