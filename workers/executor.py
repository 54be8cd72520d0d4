"""From an operation to its result on this worker: lease a REPL, restore the state there, ask, and say how it went.

What Lean or a REPL did becomes an outcome and never an exception. An operation that loses its process takes no other
with it, and of several tactics one that kills its process costs the others a restored state and nothing more.
"""

import asyncio
import logging
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, assert_never

import msgspec

from producer.errors import (
    InvalidInputError,
    LeanFleetError,
    PoolClosedError,
    ReplError,
    ReplStartError,
    StoreUnavailableError,
)
from producer.operation import (
    AnyOperation,
    ExportState,
    ImportState,
    RunCode,
    RunTactics,
    VerifyProof,
)
from producer.outcome import Outcome
from producer.reply import base_state, failure
from producer.result import (
    AnyResult,
    ExportStateResult,
    ImportStateResult,
    RunCodeResult,
    RunTacticsResult,
    TacticResult,
)
from producer.state import BlobRef, CommandStep, SorryStep, TacticStep, next_id
from producer.store import AsyncStore
from workers.answers import Answers
from workers.outcomes import (
    LostStateError,
    RestoringError,
    code_result,
    failure_outcome,
    outcome_or_raise,
    soft_error,
    tactic_failure,
    tactic_result,
)
from workers.pool import AsyncLeanREPLPool, Handle, WarmREPL
from workers.protocol import get_adapter
from workers.protocol.requests import Command, Tactic
from workers.protocol.responses import ErrorResponse
from workers.settings import WorkerSettings
from workers.states.bench import Bench
from workers.states.blobs import Blobs
from workers.states.cache import PickleCache
from workers.states.costs import Costs
from workers.states.exporter import Exporter, PickleFailedError
from workers.states.keepsakes import Keepsakes
from workers.states.rescuer import Rescuer
from workers.states.restorer import Restorer, number_of, raise_if_lost
from workers.states.signing import Signer
from workers.states.work import Export, Work
from workers.verification.procedure import verify_proof
from workers.verification.verifier import Verifier

log = logging.getLogger("leanfleet.executor")


class Executor:
    """Carries out operations on a pool's REPLs, any number at a time, in one event loop.

    `counts` tells how states were restored (`restored_warm`, …), why blobs were of no use (`fallback_missing`, …) and
    what became of exports (`exported`, `export_killed`, …), since the start.
    """

    def __init__(
        self,
        pool: AsyncLeanREPLPool,
        store: AsyncStore | None,
        settings: WorkerSettings | None = None,
        *,
        costs: Costs | None = None,
        answers: Answers | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        """Nothing is sent anywhere yet.

        Args:
            pool: an open pool; it is not closed by this object.
            store: where states are exported to; without one they are restored from their recipes alone.
            settings: a worker's.
            costs: what is known of how long restoring takes; learned anew where it is not given.
            answers: what was answered before; without it every operation is run.
            verifier: an open one; without it no proof is verified.

        Raises:
            SettingsError: the settings contradict themselves.
        """
        settings = settings if settings is not None else WorkerSettings()
        self.counts: Counter[str] = Counter()
        self._pool = pool
        self._project = pool.project.fingerprint
        self._settings = settings
        self._answers = answers
        self._verifier = verifier
        self._costs = costs if costs is not None else Costs()
        self._cache = PickleCache(
            Path(settings.cache_directory) if settings.cache_directory else None, limit_bytes=settings.cache_bytes
        )
        self._blobs = Blobs(store, signer=Signer(settings.blob_keys), cache=self._cache, costs=self._costs)
        adapter = get_adapter(pool.project.adapter)
        self._restorer = Restorer(self._blobs, self._costs, self.counts, adapter=adapter)
        keepsakes = Keepsakes()
        self._exporter = Exporter(
            self._blobs,
            self._cache,
            adapter=adapter,
            costs=self._costs,
            counts=self.counts,
            keepsakes=keepsakes,
            settings=settings,
        )
        self._rescuer = Rescuer(
            pool,
            self._blobs,
            self._exporter,
            costs=self._costs,
            counts=self.counts,
            keepsakes=keepsakes,
            settings=settings,
        )
        self._bench = Bench(
            pool,
            self._restorer,
            blobs=self._blobs,
            costs=self._costs,
            exporter=self._exporter,
            rescuer=self._rescuer,
            settings=settings,
        )

    def __repr__(self) -> str:
        return f"<Executor on {self._pool!r}, {len(self._exporter.tasks)} exports under way>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up exports that are under way and delete the cached pickles. Close it before the pool."""
        async with AsyncExitStack() as parts:  # the last one first; one that fails, or a cancellation, spares no other
            parts.callback(self._cache.close)
            parts.push_async_callback(self._blobs.aclose)
            parts.push_async_callback(self._exporter.aclose)

    def stuck(self) -> dict[asyncio.Task[Any], float]:
        """Who waits for a first REPL while all of them work, and since when (monotonic): nothing was begun for it.

        One whose header is being imported is not stuck.
        """
        return self._bench.stuck()

    async def store_keepsakes(self, *, seconds: float) -> int:
        """Store proof states that live in this worker alone and would be dear to have again, the dearest first.

        For a worker that ends: it takes no more than `seconds`, goes on while REPLs finish their work, and leaves alone
        those that are at work. Returns how many it stored; what cannot be stored is no error.
        """
        return await self._rescuer.store(seconds=seconds)

    async def execute(self, operation: AnyOperation) -> AnyResult:
        """The operation's result, without the states that its asker can work out (`producer.reply.complete`).

        Raises:
            PoolClosedError: the pool is closing; another worker must do it.
            ReplStartError: no REPL comes up here; another worker should try.
        """
        if self._answers is None:
            return await self._do(operation)
        result = await self._answers.get_or_do(operation, lambda: self._do(operation))
        self.counts["answered_from_memory"] += result.cached
        return result

    async def _do(self, operation: AnyOperation) -> AnyResult:
        try:
            try:
                result = await self._dispatch(operation)
            except LostStateError:
                # What was remembered of that process is forgotten by now.
                log.exception("a bug: a process is not in the state that was remembered; the operation is run again")
                result = await self._dispatch(operation)
        except (PoolClosedError, ReplStartError):
            raise
        except LeanFleetError as error:
            outcome, reason = failure_outcome(error)
            result = failure(operation, outcome, reason)
        return msgspec.structs.replace(result, project=self._project)

    async def _dispatch(self, operation: AnyOperation) -> AnyResult:
        match operation:
            case RunCode():
                return await self._run_code(operation)
            case RunTactics():
                return await self._run_tactics(operation)
            case ExportState():
                return await self._export_state(operation)
            case ImportState():
                return await self._import_state(operation)
            case VerifyProof():
                if self._verifier is None:
                    raise InvalidInputError("this worker verifies no proofs")
                return await verify_proof(operation, self._verifier, self._bench)
            case _:
                assert_never(operation)

    # The operations

    async def _run_code(self, operation: RunCode) -> RunCodeResult:
        base, body = base_state(operation, self._project)
        work = await self._bench.open(base, operation)
        try:
            async with self._bench.restored(work) as (repl, handle):
                request = Command(code=body, environment=number_of(handle))
                started = time.monotonic()
                try:
                    response = await repl.send(
                        request, timeout_seconds=work.limits.remaining_seconds(), memory_bytes=work.memory_bytes
                    )
                finally:
                    work.lean_seconds += time.monotonic() - started
                after = CommandStep(body)
                if not isinstance(response, ErrorResponse):
                    leads_to = next_id(work.state_id, after)
                    self._restorer.remember(repl, leads_to, response)
                    self._costs.add_step(after, leads_to, work.lean_seconds)
                    for index, _ in enumerate(response.sorries):
                        sorry_id = next_id(leads_to, SorryStep(index))
                        self._rescuer.keep(work, sorry_id, steps=2, seconds=work.lean_seconds)
        except LeanFleetError as error:
            return work.failed(RunCodeResult, error)
        return msgspec.structs.replace(code_result(response), **work.account())

    async def _run_tactics(self, operation: RunTactics) -> RunTacticsResult:
        work = await self._bench.open(operation.state, operation)
        results: list[TacticResult] = []
        while len(results) < len(operation.tactics):
            try:
                async with self._bench.restored(work) as (repl, handle):
                    while len(results) < len(operation.tactics):
                        results.append(await self._run_tactic(repl, handle, operation.tactics[len(results)], work))
            except _TacticFailedError as failed:
                # Its process is gone. The others go on in another one.
                results.append(failed.result)
            except LeanFleetError as error:
                if not results:
                    return work.failed(RunTacticsResult, error)
                outcome, reason = outcome_or_raise(error)
                rest = len(operation.tactics) - len(results)
                results += [TacticResult(outcome=outcome, reason=f"the state could not be restored: {reason}")] * rest
        return RunTacticsResult(outcome=Outcome.OK, tactics=tuple(results), **work.account())

    async def _run_tactic(self, repl: WarmREPL, handle: Handle, tactic: str, work: Work) -> TacticResult:
        try:
            request = Tactic(tactic=tactic, proof_state=handle.number)
        except InvalidInputError as error:
            return TacticResult(outcome=Outcome.INVALID_REQUEST, reason=error.message)
        started = time.monotonic()
        try:
            response = await repl.send(request, timeout_seconds=work.timeout_seconds, memory_bytes=work.memory_bytes)
        except PoolClosedError:
            raise
        except ReplError as error:
            seconds = time.monotonic() - started
            work.lean_seconds += seconds
            outcome, reason = failure_outcome(error)
            raise _TacticFailedError(TacticResult(outcome=outcome, reason=reason, lean_seconds=seconds)) from error
        seconds = time.monotonic() - started
        work.lean_seconds += seconds
        if isinstance(response, ErrorResponse):
            raise_if_lost(response)
        elif not tactic_failure(response):
            step = TacticStep(tactic)
            leads_to = next_id(work.state_id, step)
            after = self._restorer.remember(repl, leads_to, response)
            self._costs.add_step(step, leads_to, seconds)
            if response.goals:
                self._rescuer.keep(work, leads_to, steps=1, seconds=seconds)
            if seconds > self._settings.export_after_seconds and response.goals:
                work.exports.append(Export(leads_to, work.recipe.depth + 1, after))
        before = (step.tactic for step in work.recipe.steps if isinstance(step, TacticStep))
        return tactic_result(response, lean_seconds=seconds, tactics=(*before, tactic))

    async def _import_state(self, operation: ImportState) -> ImportStateResult:
        work = await self._bench.open(operation.state, operation)
        goals: tuple[str, ...] = ()
        try:
            async with self._bench.restored(work) as (repl, handle):
                if handle.kind == "proof_state":
                    goals = await self._goals(repl, handle, work)
        except LeanFleetError as error:
            return work.failed(ImportStateResult, error)
        return ImportStateResult(outcome=Outcome.OK, goals=goals, **work.account())

    async def _goals(self, repl: WarmREPL, handle: Handle, work: Work) -> tuple[str, ...]:
        if (known := self._restorer.goals(work.state_id)) is not None:
            return known
        # No protocol has a question for it; this tactic does nothing and says what is left to do.
        response = await repl.send(
            Tactic(tactic="skip", proof_state=handle.number),
            timeout_seconds=work.limits.remaining_seconds(),
            memory_bytes=work.memory_bytes,
        )
        if isinstance(response, ErrorResponse):
            raise_if_lost(response)
            raise RestoringError(f"the state's goals cannot be shown: {soft_error(response)}")
        return response.goals

    async def _export_state(self, operation: ExportState) -> ExportStateResult:
        work = await self._bench.open(operation.state, operation)
        whole = work.recipe.state()
        blob: BlobRef | None = None
        reason = ""
        try:
            if whole.kind == "environment":
                reason = "environments are restored by running their commands again: there is nothing to store"
            elif not (reason := self._exporter.why_useless(work)):
                async with self._exporter.turn(work.state_id):
                    blob, reason = await self._export_proof_state(work)
        except PickleFailedError as failed:
            reason = str(failed)
        except StoreUnavailableError as error:
            reason = f"nothing was stored: {error.message}"
        except LeanFleetError as error:
            return work.failed(ExportStateResult, error)
        exported = msgspec.structs.replace(whole, blob=blob)
        if len(exported.to_json()) > self._settings.cut_recipe_bytes and not self._blobs.why_not:
            try:
                prefix = await self._blobs.save_recipe(whole, timeout_seconds=work.seconds_left)
            except StoreUnavailableError as error:
                reason = reason or f"the recipe was not cut: {error.message}"
            else:
                exported = msgspec.structs.replace(exported, steps=(), prefix=prefix)
        return ExportStateResult(outcome=Outcome.OK, reason=reason, state=exported, **work.account())

    async def _export_proof_state(self, work: Work) -> tuple[BlobRef | None, str]:
        """The blob of a proof state, made now where there is none, or why there can be none."""
        if (blob := await self._exporter.stored(work)) is not None:
            return blob, ""
        if reason := self._exporter.why_not(work.state_id):
            return None, reason
        async with self._bench.restored(work) as (repl, handle):
            work.exports.clear()  # it is what we are about to do
            export = Export(work.state_id, work.recipe.depth, handle)
            started = time.monotonic()
            try:
                pickle = await self._exporter.pickle(repl, export, work.limits)
            finally:
                work.lean_seconds += time.monotonic() - started
        # The REPL is free again: others need not wait for the store.
        return await self._exporter.store(export, pickle, timeout_seconds=work.seconds_left), ""


class _TacticFailedError(Exception):
    """A tactic ended its process."""

    def __init__(self, result: TacticResult) -> None:
        super().__init__(result.reason)
        self.result = result
