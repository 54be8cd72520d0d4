"""Where operations are worked on: a leased REPL with their state in it, on another process when one ends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from producer.operation import AnyOperation
from producer.result import Restored
from producer.state import StateRef
from workers.outcomes import LostStateError, RestoringError
from workers.pool import AsyncLeanREPLPool, Handle, WarmREPL
from workers.settings import WorkerSettings
from workers.states.blobs import Blobs
from workers.states.costs import Costs
from workers.states.exporter import Exporter
from workers.states.recipe import Recipe
from workers.states.rescuer import Rescuer
from workers.states.restorer import BlobKilledError, Restorer
from workers.states.restoring import replay_seconds
from workers.states.work import Export, Work
from workers.telemetry import waiting

# How often a state is begun anew on another process. More than one blob that kills is already bad luck.
_MAX_RESTARTS = 4
# What the store may take for the first steps of a state that was cut, where the operation's own limit is shorter: the
# state cannot be had without them.
_LEAST_EXPAND_SECONDS = 5.0


class Bench:
    """For all operations of a worker, any number at a time."""

    def __init__(
        self,
        pool: AsyncLeanREPLPool,
        restorer: Restorer,
        *,
        blobs: Blobs,
        costs: Costs,
        exporter: Exporter,
        rescuer: Rescuer,
        settings: WorkerSettings,
    ) -> None:
        self.project = pool.project.fingerprint
        self._pool = pool
        self._restorer = restorer
        self._blobs = blobs
        self._costs = costs
        self._exporter = exporter
        self._rescuer = rescuer
        self._settings = settings
        self._queued: dict[asyncio.Task[Any], float] = {}

    def stuck(self) -> dict[asyncio.Task[Any], float]:
        """Who waits for a first REPL while all of them work, and since when (monotonic): nothing was begun for it.

        One whose header is being imported is not stuck.
        """
        if not self._queued:
            return {}
        pool = self._pool.snapshot()
        return dict(self._queued) if pool.busy >= pool.size else {}

    async def open(self, state: StateRef, operation: AnyOperation) -> Work:
        """An account for work on `state`, within the operation's limits.

        Raises:
            RestoringError: the state belongs to another Lean project.
            StoreError: its recipe was cut, and the rest of it cannot be had.
        """
        state = state.in_project(self.project)
        if state.project != self.project:
            whose = f"belongs to Lean project {state.project[:12]}" if state.project else "was cut and names no project"
            raise RestoringError(f"the state {whose}, and this worker serves {self.project[:12]}")
        if state.prefix is not None:
            timeout_seconds = max(_LEAST_EXPAND_SECONDS, operation.timeout_seconds)
            state = await self._blobs.expand(state, timeout_seconds=timeout_seconds)
        return Work(
            recipe=Recipe.of(state),
            blob=state.blob,
            timeout_seconds=operation.timeout_seconds,
            memory_bytes=operation.memory_bytes,
        )

    @asynccontextmanager
    async def restored(self, work: Work) -> AsyncIterator[tuple[WarmREPL, Handle]]:
        """A leased REPL with the state in it. What was dear to reach is exported when the body has ended.

        Raises:
            LostStateError: the process does not know what it was remembered to have; that is forgotten.
            LeanFleetError: as `AsyncLeanREPLPool.lease` and `Restorer.restore` do.
        """
        prefer = tuple(reversed(work.recipe.ids))
        for _ in range(_MAX_RESTARTS):
            async with AsyncExitStack() as stack:
                repl = await self._leased(work, stack, prefer)
                work.exports.clear()  # of a process that is gone: its numbers mean other states here
                work.begin()
                started = time.monotonic()
                try:
                    handle, way = await self._restorer.restore(repl, work.recipe, work.blob, work.limits)
                except BlobKilledError:
                    continue
                except LostStateError:
                    repl.states.clear()
                    raise
                finally:
                    seconds = time.monotonic() - started
                    work.restoring_seconds += seconds
                if work.restored is Restored.NOTHING:
                    work.restored = way
                work.replay_seconds = replay_seconds(work.recipe, self._costs)
                if way in (Restored.STEP, Restored.REPLAY):
                    if handle.kind == "proof_state":
                        self._rescuer.keep(work, work.state_id)
                    if seconds > self._settings.export_after_seconds:
                        work.exports.append(Export(work.state_id, work.recipe.depth, handle))
                try:
                    yield repl, handle
                except LostStateError:
                    repl.states.clear()
                    raise
                if chosen := self._exporter.chosen(work):
                    self._exporter.export_aside(stack.pop_all(), repl, chosen, memory_bytes=work.memory_bytes)
                return
        raise RestoringError("too many REPL processes ended while the state was restored")

    async def _leased(self, work: Work, stack: AsyncExitStack, prefer: tuple[str, ...]) -> WarmREPL:
        started = time.monotonic()
        task = asyncio.current_task()
        if task is not None and not work.waiting_seconds:
            self._queued[task] = started
        try:
            with waiting():
                return await stack.enter_async_context(self._pool.lease(work.recipe.header, prefer))
        finally:
            work.waiting_seconds += time.monotonic() - started
            if task is not None:
                self._queued.pop(task, None)
