"""Work that nobody awaits by name: it is held, heard of when it fails, and waited for in the end."""

import asyncio
import contextvars
import logging
from collections.abc import Coroutine

log = logging.getLogger("leanfleet.pool")


class Background:
    """For use in one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Background of {len(self)} tasks>"

    def __len__(self) -> int:
        return len(self._tasks)

    def run(self, work: Coroutine[None, None, None]) -> None:
        # In a context of its own: what the pool does for itself is not logged as part of whichever operation led to it.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def wait(self) -> None:
        """Return once all has ended, also what is begun meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the pool failed", exc_info=error)
