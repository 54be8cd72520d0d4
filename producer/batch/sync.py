"""Batches for code without an event loop."""

from collections.abc import Callable, Collection, Coroutine, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from producer.batch.batches import Batches, Listed, Submission
from producer.batch.columns import Columns
from producer.batch.diff import Difference
from producer.batch.publication import OnProgress
from producer.batch.removal import Removal
from producer.batch.result import BatchResult
from producer.batch.status import Status
from producer.files import Text
from producer.lane import Priority

T = TypeVar("T")


class Wait(Protocol):
    """Runs a coroutine on the client's loop and waits for it."""

    def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


class SyncBatches:
    """`Batches`, with methods that block. What they take and raise is said there."""

    def __init__(self, batches: Callable[[], Batches], wait: Wait) -> None:
        self._batches = batches
        self._wait = wait

    def submit_files(
        self,
        paths: Sequence[Path | str],
        *,
        name: str = "",
        columns: Columns | None = None,
        skip_invalid: bool = False,
        force: bool = False,
        priority: Priority | None = None,
    ) -> Submission:
        return self._wait(
            self._batches().submit_files(
                paths, name=name, columns=columns, skip_invalid=skip_invalid, force=force, priority=priority
            )
        )

    def submit(
        self,
        texts: Iterable[Text | Mapping[str, Any]],
        *,
        name: str = "",
        force: bool = False,
        priority: Priority | None = None,
        on_progress: OnProgress | None = None,
    ) -> Submission:
        return self._wait(
            self._batches().submit(texts, name=name, force=force, priority=priority, on_progress=on_progress)
        )

    def rerun(
        self,
        batch_id: str,
        *,
        only: Collection[str] = (),
        everything: bool = False,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        priority: Priority | None = None,
        on_progress: OnProgress | None = None,
    ) -> int:
        return self._wait(
            self._batches().rerun(
                batch_id,
                only=only,
                everything=everything,
                timeout_seconds=timeout_seconds,
                memory_bytes=memory_bytes,
                priority=priority,
                on_progress=on_progress,
            )
        )

    def status(self, batch_id: str) -> Status:
        return self._wait(self._batches().status(batch_id))

    def watch(self, batch_id: str, *, every_seconds: float = 1.0) -> Generator[Status]:
        watching = self._batches().watch(batch_id, every_seconds=every_seconds)
        try:
            while (status := self._wait(anext(watching, None))) is not None:
                yield status
        finally:
            self._wait(watching.aclose())

    def results(self, batch_id: str, *, attempt: int | None = None) -> list[BatchResult]:
        return self._wait(self._batches().results(batch_id, attempt=attempt))

    def diff(
        self, before: str, after: str, *, before_attempt: int | None = None, after_attempt: int | None = None
    ) -> Difference:
        return self._wait(
            self._batches().diff(before, after, before_attempt=before_attempt, after_attempt=after_attempt)
        )

    def all(self) -> list[Listed]:
        return self._wait(self._batches().all())

    def remove(
        self, batch_ids: Collection[str] = (), *, older_than_seconds: float | None = None, dry_run: bool = False
    ) -> Removal:
        return self._wait(self._batches().remove(batch_ids, older_than_seconds=older_than_seconds, dry_run=dry_run))

    def cancel(self, batch_id: str) -> Status:
        return self._wait(self._batches().cancel(batch_id))
