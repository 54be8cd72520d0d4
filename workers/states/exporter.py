"""Exporting proof states: a REPL pickles one, and the store keeps it.

What ended its process is tried once. What a REPL could not pickle may have met a full disk, and what was killed for a
limit may need more than it was given: both are tried again later.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from weakref import WeakValueDictionary

from producer.errors import (
    InvalidInputError,
    LeanFleetError,
    PoolClosedError,
    ReplDiedError,
    ReplError,
    ReplTimeoutError,
    StoreUnavailableError,
)
from producer.state import BlobRef
from workers.lru import LRU
from workers.outcomes import soft_error
from workers.pool import WarmREPL
from workers.protocol.adapter import Adapter
from workers.protocol.requests import PickleProofState
from workers.protocol.responses import ErrorResponse
from workers.settings import WorkerSettings
from workers.states.blobs import Blobs
from workers.states.cache import PickleCache
from workers.states.costs import Costs
from workers.states.exchange import ExchangeError, new_path, take
from workers.states.keepsakes import Keepsakes
from workers.states.restorer import Limits, raise_if_lost
from workers.states.work import Export, Work

_REMEMBERED_UNPICKLABLE = 10_000
_MAX_REASON = 1_000  # characters of a remembered one; it ends with what the process said last
# How long a state that was not pickled is not tried again, where trying costs no process.
_BELIEVED_SECONDS = 300.0
# Beside the work: few enough that exports never keep a pool from its operations.
_MAX_EXPORTS = 4

log = logging.getLogger("leanfleet.executor")


class PickleFailedError(Exception):
    """Lean could not pickle a state."""


class Exporter:
    """One for all REPLs of a worker. `counts` holds what became of exports, `tasks` are those under way."""

    def __init__(
        self,
        blobs: Blobs,
        cache: PickleCache,
        *,
        adapter: Adapter,
        costs: Costs,
        counts: Counter[str],
        keepsakes: Keepsakes,
        settings: WorkerSettings,
    ) -> None:
        """`adapter` is that of the REPLs that will be handed in.

        Pickles go through `cache`'s folder where a REPL has none of its own; `keepsakes` forget what was stored.
        """
        self.tasks: set[asyncio.Task[None]] = set()
        self._adapter = adapter
        self._blobs = blobs
        self._cache = cache
        self._costs = costs
        self._counts = counts
        self._keepsakes = keepsakes
        self._settings = settings
        # Why, and until when that is believed (monotonic).
        self._unpicklable: LRU[str, tuple[str, float]] = LRU(_REMEMBERED_UNPICKLABLE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"<Exporter, {len(self.tasks)} under way>"

    async def aclose(self) -> None:
        """Give up what is under way."""
        await asyncio.sleep(0)  # a task that never began could not give its lease back
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    def turn(self, state_id: str) -> asyncio.Lock:
        """To be held while a state is exported: whoever has waited for it finds the pickle of the one before."""
        return self._turns.setdefault(state_id, asyncio.Lock())

    def why_not(self, state_id: str) -> str:
        """Why a state cannot be exported, as far as that is known; empty where it can be tried."""
        reason, until = self._unpicklable.get(state_id, ("", math.inf))
        return self._blobs.why_not or (reason if time.monotonic() < until else "")

    def why_useless(self, work: Work) -> str:
        """Why no worker would load a pickle of a proof state of `work`; empty where one would."""
        if work.recipe.base_depth == 0 or self._adapter.loads_onto_commands:
            return ""
        return "this REPL loads no pickle onto commands: a state behind some is restored from its recipe"

    async def stored(self, work: Work) -> BlobRef | None:
        """A blob of the state that can be had and trusted: the one that it came with, or one that was announced.

        Raises StoreUnavailableError.
        """
        blobs = [work.blob] if work.blob is not None and work.blob.steps == work.recipe.depth else []
        for look in (False, True):
            if look:
                blobs = await self._blobs.find({work.recipe.depth: work.state_id}) if self._blobs.can_look else []
            for blob in blobs:
                if await self._blobs.is_good(blob, work.state_id, timeout_seconds=work.timeout_seconds):
                    return blob
        return None

    async def is_announced(self, state_id: str, depth: int) -> bool:
        """Whether workers find a pickle of the state already: one that did not prove bad here."""
        found = await self._blobs.find({depth: state_id}) if self._blobs.can_look else []
        return any(not self._blobs.is_distrusted(blob, state_id) for blob in found)

    async def pickle(self, repl: WarmREPL, export: Export, limits: Limits) -> bytes:
        """Pickle a proof state that is in `repl`.

        Raises:
            PickleFailedError: Lean did not pickle this state. Remembered: for ever where its process died of it, not at
                all where it was killed since less time was left than exports usually have.
            LostStateError: the process does not know it.
            PoolClosedError: the pool was closed by force.
            ReplTimeoutError: no time is left; the state was not tried.
        """
        timeout_seconds = limits.remaining_seconds()
        path = new_path(repl.folder or self._cache.folder)
        try:
            try:
                response = await repl.send(
                    PickleProofState(proof_state=export.handle.number, path=path),
                    timeout_seconds=timeout_seconds,
                    memory_bytes=limits.memory_bytes,
                )
            except PoolClosedError:
                raise
            except InvalidInputError as error:
                self._counts["export_rejected"] += 1
                raise self._cannot_pickle(export.state_id, f"the state cannot be pickled: {error.message}") from error
            except ReplError as error:
                self._counts["export_killed"] += 1
                why = f"pickling this state ended its process, so that it is restored from its recipe: {error.message}"
                if isinstance(error, ReplTimeoutError) and timeout_seconds < self._settings.export_timeout_seconds:
                    raise PickleFailedError(why) from error
                for_ever = isinstance(error, ReplDiedError)
                raise self._cannot_pickle(export.state_id, why, for_ever=for_ever) from error
            if isinstance(response, ErrorResponse):
                raise_if_lost(response)
                self._counts["export_rejected"] += 1
                raise self._cannot_pickle(export.state_id, f"the state cannot be pickled: {soft_error(response)}")
            try:
                pickle = await take(path, limit_bytes=self._settings.max_pickle_bytes)
            except ExchangeError as error:
                raise self._cannot_pickle(export.state_id, error.message) from error
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
        if not pickle:
            raise self._cannot_pickle(export.state_id, "the REPL said that it pickled the state, and wrote nothing")
        return pickle

    async def store(self, export: Export, pickle: bytes, *, timeout_seconds: float) -> BlobRef:
        """Store a pickle, without a lease, and let workers find it by its state; returns the one that they find.

        Raises StoreUnavailableError.
        """
        started = time.monotonic()
        blob = await self._blobs.save(
            pickle, state_id=export.state_id, steps=export.depth, timeout_seconds=timeout_seconds
        )
        self._keepsakes.forget(export.state_id)
        self._counts["exported"] += 1
        seconds_left = started + timeout_seconds - time.monotonic()
        try:
            blob = await self._blobs.announce(blob, export.state_id, timeout_seconds=seconds_left)
        except StoreUnavailableError as error:
            log.info("the pickle of state %s cannot be found by its state: %s", export.state_id[:12], error)
        self._costs.add_export(time.monotonic() - started)
        return blob

    def chosen(self, work: Work) -> list[Export]:
        """Of the states that were dear to reach, those that can be exported now."""
        wanted = [
            export
            for export in work.exports
            if export.handle.kind == "proof_state" and not (self.why_useless(work) or self.why_not(export.state_id))
        ]
        if wanted and len(self.tasks) >= _MAX_EXPORTS:
            self._counts["export_skipped"] += len(wanted)
            return []
        return wanted

    def export_aside(
        self, lease: AsyncExitStack, repl: WarmREPL, exports: Sequence[Export], *, memory_bytes: int
    ) -> None:
        """Pickle states beside the reply that is on its way, give the REPL back, and store them.

        The lease goes along: in this process the states are at hand, and the reply need not wait.
        """
        task = asyncio.create_task(self._export(lease, repl, exports, memory_bytes))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _export(
        self, lease: AsyncExitStack, repl: WarmREPL, exports: Sequence[Export], memory_bytes: int
    ) -> None:
        timeout_seconds = self._settings.export_timeout_seconds
        pickles: list[tuple[Export, bytes]] = []
        async with lease:
            for export in exports:
                if sum(len(pickle) for _, pickle in pickles) > self._settings.max_pickle_bytes:
                    self._counts["export_skipped"] += 1
                    continue
                if await self.is_announced(export.state_id, export.depth):
                    self._keepsakes.forget(export.state_id)
                    continue
                limits = Limits(timeout_seconds=timeout_seconds, memory_bytes=memory_bytes)
                try:
                    pickles.append((export, await self.pickle(repl, export, limits)))
                except (LeanFleetError, PickleFailedError) as error:
                    log.info("state %s is not exported: %s", export.state_id[:12], error)
                    break
        for export, pickle in pickles:
            try:
                await self.store(export, pickle, timeout_seconds=timeout_seconds)
            except LeanFleetError as error:
                log.info("state %s is not exported: %s", export.state_id[:12], error)
                return

    def _cannot_pickle(self, state_id: str, reason: str, *, for_ever: bool = False) -> PickleFailedError:
        log.warning("state %s is not exported: %s", state_id[:12], reason)
        if len(reason) > _MAX_REASON:
            reason = f"{reason[: _MAX_REASON // 2]}…{reason[-_MAX_REASON // 2 :]}"
        self._unpicklable[state_id] = (reason, math.inf if for_ever else time.monotonic() + _BELIEVED_SECONDS)
        self._keepsakes.forget(state_id)
        return PickleFailedError(reason)
