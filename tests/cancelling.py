"""Cancelling work at each point where it waits: a cancellation that is lost leaves somebody waiting for ever."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from tests.waiting import DEADLINE_SECONDS, until


async def cancel_everywhere(work: Callable[[], Coroutine[Any, Any, object]], *, late: bool) -> None:
    """Run `work` once for each time that it waits, and cancel it there: it must end as cancelled and leave no task.

    At once, or `late`: when what it waits for has come and it is about to go on, which is where a cancellation is
    easily lost (https://github.com/python/cpython/issues/86296).
    """
    place = 0
    while True:
        place += 1
        before = asyncio.all_tasks()
        running = _CancelledAt(work(), place, late=late)
        task = asyncio.create_task(running.run())
        await asyncio.wait({task}, timeout=DEADLINE_SECONDS)
        assert task.done(), f"cancelled for nothing at {running.where}"
        if not running.where:
            task.result()
            gc.collect()  # what was left open warns now
            return
        assert task.cancelled(), f"it went on after it was cancelled at {running.where}"
        await until(lambda: asyncio.all_tasks() <= before, f"no task is left after a cancellation at {running.where}")  # noqa: B023 - called here


class _CancelledAt:
    """Work that is cancelled when it waits for the `place`th time; `where` says at what, empty before."""

    def __init__(self, work: Coroutine[Any, Any, object], place: int, *, late: bool) -> None:
        self.where = ""
        self._work = work
        self._left = place
        self._late = late

    async def run(self) -> None:
        await self

    def __await__(self) -> Generator[Any, None, None]:
        error: BaseException | None = None
        while True:
            try:
                awaited = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration:
                return
            self._left -= 1
            if self._left == 0:
                self._cancel(awaited)
            try:
                error = None
                yield awaited
            except BaseException as thrown:  # noqa: BLE001 - it goes to the work, which may raise it
                error = thrown

    def _cancel(self, awaited: Any) -> None:
        self.where = _where(self._work)
        task = asyncio.current_task()
        assert task is not None
        if self._late and awaited is not None:
            awaited.add_done_callback(lambda _: task.cancel())
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


def _where(work: Any) -> str:
    """The coroutines that wait for each other, the outermost first."""
    names = []
    while work is not None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "ag_frame", None)
        if frame is not None:
            names.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        work = getattr(work, "cr_await", None) or getattr(work, "ag_await", None)
    return " > ".join(names) or "its beginning"
