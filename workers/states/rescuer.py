"""Storing, before a worker ends, what `keepsakes` says would be dear to have again."""

import asyncio
import contextlib
import logging
import time
from collections import Counter

from producer.errors import LeanFleetError, PoolClosedError
from producer.operation import DEFAULT_MEMORY_BYTES
from workers.pool import AsyncLeanREPLPool
from workers.settings import WorkerSettings
from workers.states.blobs import Blobs
from workers.states.costs import Costs
from workers.states.exporter import Exporter, PickleFailedError
from workers.states.keepsakes import Keepsake, Keepsakes, is_dear, worth_storing
from workers.states.restorer import Limits
from workers.states.work import Export, Work

# How often a worker that ends looks whether a REPL has finished, whose states can then be stored.
_LOOK_SECONDS = 0.1

log = logging.getLogger("leanfleet.executor")


class Rescuer:
    """It leaves alone the REPLs that are at work."""

    def __init__(
        self,
        pool: AsyncLeanREPLPool,
        blobs: Blobs,
        exporter: Exporter,
        *,
        costs: Costs,
        counts: Counter[str],
        keepsakes: Keepsakes,
        settings: WorkerSettings,
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._exporter = exporter
        self._costs = costs
        self._counts = counts
        self._keepsakes = keepsakes
        self._settings = settings

    def keep(self, work: Work, state_id: str, *, steps: int = 0, seconds: float = 0.0) -> None:
        """Remember a proof state, `steps` after the one of `work`, if it would be dear to have again.

        `seconds` is what these steps took.
        """
        rebuild_seconds = work.replay_seconds + seconds
        costs = self._costs
        if rebuild_seconds <= self._settings.export_after_seconds or self._exporter.why_useless(work):
            return
        if is_dear(rebuild_seconds, fetch_seconds=costs.fetch_seconds, load_seconds=costs.load_seconds):
            depth = work.recipe.depth + steps
            self._keepsakes.add(Keepsake(state_id, depth, work.recipe.header, rebuild_seconds))

    async def store(self, *, seconds: float) -> int:
        """Store proof states that live in this worker alone and would be dear to have again, the dearest first.

        It takes no more than `seconds`, and goes on while REPLs finish their work. Returns how many it stored; what
        cannot be stored is no error.
        """
        deadline = time.monotonic() + seconds
        stored = 0
        with contextlib.suppress(TimeoutError, PoolClosedError):
            async with asyncio.timeout(seconds):
                while not self._blobs.why_not:
                    if chosen := self.dearest(deadline - time.monotonic()):
                        stored += await self._store_one(chosen, deadline)
                    elif self._pool.snapshot().busy:
                        await asyncio.sleep(_LOOK_SECONDS)
                    else:
                        break
        if stored:
            log.info("%d proof states are stored that would have died with this worker", stored)
        return stored

    def dearest(self, seconds_left: float) -> Keepsake | None:
        """The next to store; None where nothing is worth it, or at hand."""
        known = (self._keepsakes.among(ids) for _, ids in self._pool.idle_states())
        costs = self._costs
        chosen = worth_storing(
            (each for found in known for each in found),
            fetch_seconds=costs.fetch_seconds,
            load_seconds=costs.load_seconds,
            export_seconds=costs.export_seconds,
            seconds_left=seconds_left,
        )
        return chosen[0] if chosen else None

    async def _store_one(self, keepsake: Keepsake, deadline: float) -> bool:
        self._keepsakes.forget(keepsake.state_id)  # tried once
        if await self._exporter.is_announced(keepsake.state_id, keepsake.depth):
            return False
        try:
            async with self._pool.lease(keepsake.header, (keepsake.state_id,)) as repl:
                if (handle := repl.states.get(keepsake.state_id)) is None:
                    return False
                export = Export(keepsake.state_id, keepsake.depth, handle)
                limits = Limits(timeout_seconds=deadline - time.monotonic(), memory_bytes=DEFAULT_MEMORY_BYTES)
                pickle = await self._exporter.pickle(repl, export, limits)
            await self._exporter.store(export, pickle, timeout_seconds=deadline - time.monotonic())
        except PoolClosedError:
            raise
        except (LeanFleetError, PickleFailedError) as error:
            log.info("state %s is not stored: %s", keepsake.state_id[:12], error)
            return False
        self._counts["exported_at_end"] += 1
        return True
