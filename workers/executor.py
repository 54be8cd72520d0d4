"""From an operation to its result on this worker: lease a REPL, restore the state there, ask, and say how it went.

What Lean or a REPL did becomes an outcome and never an exception. An operation that loses its process takes no other
with it, and of several tactics one that kills its process costs the others a restored state and nothing more.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar, assert_never

import msgspec

from producer.errors import (
    HeaderError,
    InvalidInputError,
    LeanFleetError,
    PoolClosedError,
    ReplError,
    ReplStartError,
    StoreUnavailableError,
)
from producer.header import split_header
from producer.judgement import Verdict
from producer.operation import (
    DEFAULT_MEMORY_BYTES,
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
    Restored,
    Result,
    RunCodeResult,
    RunTacticsResult,
    TacticResult,
    Timing,
    VerifyProofResult,
)
from producer.state import BlobRef, CommandStep, SorryStep, StateRef, TacticStep, next_id
from producer.store import AsyncStore
from producer.verdict import Audit, judge_proof, refusals
from workers.answers import Answers
from workers.lru import LRU
from workers.outcomes import (
    LostStateError,
    RestoringError,
    command_outcome,
    failure_outcome,
    messages,
    soft_error,
    sorries,
    tactic_failure,
    tactic_result,
)
from workers.pool import AsyncLeanREPLPool, Handle, WarmREPL
from workers.protocol import get_adapter
from workers.protocol.requests import Command, PickleProofState, Tactic
from workers.protocol.responses import CommandResponse, ErrorResponse
from workers.settings import WorkerSettings
from workers.states.blobs import Blobs
from workers.states.cache import PickleCache
from workers.states.costs import Costs
from workers.states.exchange import ExchangeError, new_path, take
from workers.states.keepsakes import Keepsake, Keepsakes, is_dear, worth_storing
from workers.states.recipe import Recipe
from workers.states.restorer import BlobKilledError, Limits, Restorer, number_of, raise_if_lost
from workers.states.restoring import replay_seconds
from workers.states.signing import Signer
from workers.telemetry import waiting
from workers.verification.errors import StatementError
from workers.verification.verifier import Verifier

R = TypeVar("R", bound=Result)

_REMEMBERED_UNPICKLABLE = 10_000
# Beside the work: few enough that exports never keep a pool from its operations.
_MAX_EXPORTS = 4
# How often a state is begun anew on another process. More than one blob that kills is already bad luck.
_MAX_RESTARTS = 4
# How often a worker that ends looks whether a REPL has finished, whose states can then be stored.
_KEEPSAKE_SECONDS = 0.1

log = logging.getLogger("leanfleet.executor")


class _Export(NamedTuple):
    state_id: str
    depth: int
    handle: Handle


@dataclass(kw_only=True)
class _Work:
    """One operation's account: by which way its state came, and where the time went."""

    recipe: Recipe
    blob: BlobRef | None
    timeout_seconds: float
    memory_bytes: int
    restored: Restored = Restored.NOTHING
    waiting_seconds: float = 0.0
    restoring_seconds: float = 0.0
    lean_seconds: float = 0.0
    replay_seconds: float = 0.0  # what the steps of its state cost
    exports: list["_Export"] = field(default_factory=list)  # what is to be exported from the REPL in hand
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A process begins to work on it: its time limit runs from now."""
        self.limits = Limits(timeout_seconds=self.timeout_seconds, memory_bytes=self.memory_bytes)

    @property
    def state_id(self) -> str:
        return self.recipe.ids[-1]

    @property
    def seconds_left(self) -> float:
        """Of the time limit, for what no process does: 0 where nothing is left."""
        return max(0.0, self.limits.started_at + self.timeout_seconds - time.monotonic())

    def account(self) -> dict[str, Any]:
        return {
            "restored": self.restored,
            "timing": Timing(
                waiting_seconds=self.waiting_seconds,
                restoring_seconds=self.restoring_seconds,
                lean_seconds=self.lean_seconds,
            ),
        }


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
        self._restorer = Restorer(
            self._blobs,
            self._costs,
            self.counts,
            adapter=get_adapter(pool.project.adapter),
        )
        self._unpicklable: LRU[str, str] = LRU(_REMEMBERED_UNPICKLABLE)
        self._keepsakes = Keepsakes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._queued: dict[asyncio.Task[Any], float] = {}

    def __repr__(self) -> str:
        return f"<Executor on {self._pool!r}, {len(self._tasks)} exports under way>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up exports that are under way and delete the cached pickles. Close it before the pool."""
        await asyncio.sleep(0)  # a task that never began could not give its lease back
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._blobs.aclose()
        self._cache.close()

    def stuck(self) -> dict[asyncio.Task[Any], float]:
        """Who waits for a first REPL while all of them work, and since when (monotonic): nothing was begun for it.

        One whose header is being imported is not stuck.
        """
        if not self._queued:
            return {}
        pool = self._pool.snapshot()
        return dict(self._queued) if pool.busy >= pool.size else {}

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
                return await self._verify_proof(operation)
            case _:
                assert_never(operation)

    # The operations

    async def _run_code(self, operation: RunCode) -> RunCodeResult:
        base, body = base_state(operation, self._project)
        work = await self._work(base, operation)
        try:
            async with self._restored(work) as (repl, handle):
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
                        self._keep(work, sorry_id, steps=2, seconds=work.lean_seconds)
        except LeanFleetError as error:
            return self._failed(RunCodeResult, work, error)
        return msgspec.structs.replace(_text_result(response), **work.account())

    async def _run_tactics(self, operation: RunTactics) -> RunTacticsResult:
        work = await self._work(operation.state, operation)
        results: list[TacticResult] = []
        while len(results) < len(operation.tactics):
            try:
                async with self._restored(work) as (repl, handle):
                    while len(results) < len(operation.tactics):
                        results.append(await self._run_tactic(repl, handle, operation.tactics[len(results)], work))
            except _TacticFailedError as failed:
                # Its process is gone. The others go on in another one.
                results.append(failed.result)
            except LeanFleetError as error:
                if not results:
                    return self._failed(RunTacticsResult, work, error)
                outcome, reason = _outcome(error)
                rest = len(operation.tactics) - len(results)
                results += [TacticResult(outcome=outcome, reason=f"the state could not be restored: {reason}")] * rest
        return RunTacticsResult(outcome=Outcome.OK, tactics=tuple(results), **work.account())

    async def _run_tactic(self, repl: WarmREPL, handle: Handle, tactic: str, work: _Work) -> TacticResult:
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
                self._keep(work, leads_to, steps=1, seconds=seconds)
            if seconds > self._settings.export_after_seconds and response.goals:
                work.exports.append(_Export(leads_to, work.recipe.depth + 1, after))
        before = (step.tactic for step in work.recipe.steps if isinstance(step, TacticStep))
        return tactic_result(response, lean_seconds=seconds, tactics=(*before, tactic))

    async def _import_state(self, operation: ImportState) -> ImportStateResult:
        work = await self._work(operation.state, operation)
        goals: tuple[str, ...] = ()
        try:
            async with self._restored(work) as (repl, handle):
                if handle.kind == "proof_state":
                    goals = await self._goals(repl, handle, work)
        except LeanFleetError as error:
            return self._failed(ImportStateResult, work, error)
        return ImportStateResult(outcome=Outcome.OK, goals=goals, **work.account())

    async def _goals(self, repl: WarmREPL, handle: Handle, work: _Work) -> tuple[str, ...]:
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
        work = await self._work(operation.state, operation)
        whole = work.recipe.state()
        blob: BlobRef | None = None
        reason = ""
        try:
            if whole.kind == "environment":
                reason = "environments are restored by running their commands again: there is nothing to store"
            elif work.blob is not None and await self._is_stored(work):
                blob = work.blob
            elif not (reason := self._why_no_export(work.state_id)):
                async with self._restored(work) as (repl, handle):
                    work.exports.clear()  # it is what we are about to do
                    export = _Export(work.state_id, work.recipe.depth, handle)
                    started = time.monotonic()
                    try:
                        pickle = await self._pickle(repl, export, work.limits)
                    finally:
                        work.lean_seconds += time.monotonic() - started
                # The REPL is free again: others need not wait for the store.
                blob = await self._store(export, pickle, timeout_seconds=work.seconds_left)
        except _PickleFailedError as failed:
            reason = str(failed)
        except StoreUnavailableError as error:
            reason = f"nothing was stored: {error.message}"
        except LeanFleetError as error:
            return self._failed(ExportStateResult, work, error)
        exported = msgspec.structs.replace(whole, blob=blob)
        if len(exported.to_json()) > self._settings.cut_recipe_bytes and not self._blobs.why_not:
            try:
                prefix = await self._blobs.save_recipe(whole, timeout_seconds=work.seconds_left)
            except StoreUnavailableError as error:
                reason = reason or f"the recipe was not cut: {error.message}"
            else:
                exported = msgspec.structs.replace(exported, steps=(), prefix=prefix)
        return ExportStateResult(outcome=Outcome.OK, reason=reason, state=exported, **work.account())

    async def _verify_proof(self, operation: VerifyProof) -> VerifyProofResult:
        """The statement first, in a process of its own; then the proof's text, in one that may do with itself what it
        likes; then its constants, in a third.
        """
        verifier = self._verifier
        if verifier is None:
            raise InvalidInputError("this worker verifies no proofs")
        strength = verifier.strength_for(operation)
        if refused := refusals(operation) or verifier.refusals(operation):
            return VerifyProofResult(outcome=Outcome.OK, verdict=Verdict.NOT_PROVED, reasons=refused, strength=strength)
        header, body = split_header(operation.proof)
        header = header or split_header(operation.statement).header
        examiner: Any = verifier.examiner  # what it gives is handed back to it
        work = await self._work(StateRef(header=header, project=self._project), operation)
        audit: Audit | None = None
        try:
            goal = await examiner.goal(operation, header)
            async with self._restored(work) as (repl, handle):
                started = time.monotonic()
                try:
                    response = await repl.send(
                        Command(code=body, environment=number_of(handle)),
                        timeout_seconds=work.limits.remaining_seconds(),
                        memory_bytes=work.memory_bytes,
                    )
                    text = _text_result(response)
                    case = None
                    if isinstance(response, CommandResponse) and not response.errors:
                        case = await examiner.collect(repl, response, operation, goal, work.limits)
                finally:
                    work.lean_seconds += time.monotonic() - started
            if case is not None:
                audit = await examiner.audit(case, operation, goal, header)
            judgement = judge_proof(operation, text, audit)
            if verifier.external is not None and audit is not None and judgement.verdict is Verdict.PROVED:
                theorem = audit.theorems[0].name if operation.statement else ""
                rejection = await verifier.external.rejection(operation, theorem)
                judgement = judge_proof(operation, text, msgspec.structs.replace(audit, external=rejection))
        except HeaderError as error:
            if operation.statement:  # whose header it is, or should be
                return self._unverified(work, StatementError(f"the statement's imports cannot be had: {error.message}"))
            text = RunCodeResult(outcome=Outcome.LEAN_ERROR, reason=error.message)
            judgement = judge_proof(operation, text, None)
        except LeanFleetError as error:
            return self._unverified(work, error)
        return VerifyProofResult(
            outcome=judgement.outcome,
            verdict=judgement.verdict,
            reasons=judgement.reasons,
            strength=strength,
            theorems=() if audit is None else audit.theorems,
            messages=text.messages,
            **work.account(),
        )

    def _unverified(self, work: _Work, error: LeanFleetError) -> VerifyProofResult:
        failed = self._failed(VerifyProofResult, work, error)
        return msgspec.structs.replace(failed, reasons=failed.judgement.reasons)

    # Restoring

    async def _work(self, state: StateRef, operation: AnyOperation) -> _Work:
        state = state.in_project(self._project)
        if state.project != self._project:
            raise RestoringError(
                f"the state belongs to Lean project {state.project[:12]}, and this worker serves {self._project[:12]}"
            )
        if state.prefix is not None:
            state = await self._blobs.expand(state, timeout_seconds=operation.timeout_seconds)
        recipe = Recipe.of(state)
        return _Work(
            recipe=recipe,
            blob=state.blob,
            timeout_seconds=operation.timeout_seconds,
            memory_bytes=operation.memory_bytes,
        )

    @asynccontextmanager
    async def _restored(self, work: _Work) -> AsyncIterator[tuple[WarmREPL, Handle]]:
        """A leased REPL with the state in it. Raises LeanFleetError."""
        prefer = tuple(reversed(work.recipe.ids))
        for _ in range(_MAX_RESTARTS):
            async with AsyncExitStack() as stack:
                started = time.monotonic()
                task = asyncio.current_task()
                if task is not None and not work.waiting_seconds:
                    self._queued[task] = started
                try:
                    with waiting():
                        repl = await stack.enter_async_context(self._pool.lease(work.recipe.header, prefer))
                finally:
                    work.waiting_seconds += time.monotonic() - started
                    if task is not None:
                        self._queued.pop(task, None)
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
                self._keep_restored(work, handle, way)
                if way in (Restored.STEP, Restored.REPLAY) and seconds > self._settings.export_after_seconds:
                    work.exports.append(_Export(work.state_id, work.recipe.depth, handle))
                try:
                    yield repl, handle
                except LostStateError:
                    repl.states.clear()
                    raise
                if self._to_export(work):
                    # The lease goes along: in this process the states are at hand, and the reply need not wait.
                    self._run(self._export_aside(stack.pop_all(), repl, work))
                return
        raise RestoringError("too many REPL processes ended while the state was restored")

    def _failed(self, kind: type[R], work: _Work, error: LeanFleetError) -> R:
        outcome, reason = _outcome(error)
        return kind(outcome=outcome, reason=reason, **work.account())

    # Exporting

    def _why_no_export(self, state_id: str) -> str:
        return self._blobs.why_not or self._unpicklable.get(state_id, "")

    async def _is_stored(self, work: _Work) -> bool:
        """Whether the state came with a blob of its own that can be had and trusted."""
        if work.blob is None or work.blob.steps != work.recipe.depth:
            return False
        return await self._blobs.is_good(work.blob, work.state_id, timeout_seconds=work.timeout_seconds)

    async def _pickle(self, repl: WarmREPL, export: _Export, limits: Limits) -> bytes:
        """Pickle a proof state that is in `repl`.

        Raises:
            _PickleFailedError: Lean cannot pickle this state; remembered.
        """
        path = new_path(repl.folder or self._cache.folder)
        try:
            try:
                response = await repl.send(
                    PickleProofState(proof_state=export.handle.number, path=path),
                    timeout_seconds=limits.remaining_seconds(),
                    memory_bytes=limits.memory_bytes,
                )
            except PoolClosedError:
                raise
            except ReplError as error:
                self.counts["export_killed"] += 1
                why = f"pickling this state ended its process, so that it is restored from its recipe: {error.message}"
                raise self._cannot_pickle(export.state_id, why) from error
            if isinstance(response, ErrorResponse):
                raise_if_lost(response)
                self.counts["export_rejected"] += 1
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

    async def _store(self, export: _Export, pickle: bytes, *, timeout_seconds: float) -> BlobRef:
        """Store a pickle, without a lease. Raises StoreUnavailableError."""
        started = time.monotonic()
        blob = await self._blobs.save(
            pickle, state_id=export.state_id, steps=export.depth, timeout_seconds=timeout_seconds
        )
        self._costs.add_export(time.monotonic() - started)
        self._keepsakes.forget(export.state_id)
        self.counts["exported"] += 1
        return blob

    def _cannot_pickle(self, state_id: str, reason: str) -> "_PickleFailedError":
        log.warning("state %s is not exported: %s", state_id[:12], reason)
        self._unpicklable[state_id] = reason
        self._keepsakes.forget(state_id)
        return _PickleFailedError(reason)

    def _keep(self, work: _Work, state_id: str, *, steps: int = 0, seconds: float = 0.0) -> None:
        """Remember a proof state, `steps` after the one of `work`, if it would be dear to have again."""
        rebuild_seconds = work.replay_seconds + seconds
        costs = self._costs
        if rebuild_seconds <= self._settings.export_after_seconds:
            return
        if is_dear(rebuild_seconds, fetch_seconds=costs.fetch_seconds, load_seconds=costs.load_seconds):
            depth = work.recipe.depth + steps
            self._keepsakes.add(Keepsake(state_id, depth, work.recipe.header, rebuild_seconds))

    def _keep_restored(self, work: _Work, handle: Handle, way: Restored) -> None:
        work.replay_seconds = replay_seconds(work.recipe, self._costs)
        if handle.kind == "proof_state" and way in (Restored.STEP, Restored.REPLAY):
            self._keep(work, work.state_id)

    async def store_keepsakes(self, *, seconds: float) -> int:
        """Store proof states that live in this worker alone and would be dear to have again, the dearest first.

        For a worker that ends: it takes no more than `seconds`, goes on while REPLs finish their work, and leaves alone
        those that are at work. Returns how many it stored; what cannot be stored is no error.
        """
        deadline = time.monotonic() + seconds
        stored = 0
        with contextlib.suppress(TimeoutError, PoolClosedError):
            async with asyncio.timeout(seconds):
                while not self._blobs.why_not:
                    if chosen := self._dearest(deadline - time.monotonic()):
                        stored += await self._store_keepsake(chosen, deadline)
                    elif self._pool.snapshot().busy:
                        await asyncio.sleep(_KEEPSAKE_SECONDS)
                    else:
                        break
        if stored:
            log.info("%d proof states are stored that would have died with this worker", stored)
        return stored

    def _dearest(self, seconds_left: float) -> Keepsake | None:
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

    async def _store_keepsake(self, keepsake: Keepsake, deadline: float) -> bool:
        self._keepsakes.forget(keepsake.state_id)  # tried once
        try:
            async with self._pool.lease(keepsake.header, (keepsake.state_id,)) as repl:
                if (handle := repl.states.get(keepsake.state_id)) is None:
                    return False
                export = _Export(keepsake.state_id, keepsake.depth, handle)
                limits = Limits(timeout_seconds=deadline - time.monotonic(), memory_bytes=DEFAULT_MEMORY_BYTES)
                pickle = await self._pickle(repl, export, limits)
            blob = await self._store(export, pickle, timeout_seconds=deadline - time.monotonic())
            await self._blobs.announce(blob, export.state_id, timeout_seconds=deadline - time.monotonic())
        except PoolClosedError:
            raise
        except (LeanFleetError, _PickleFailedError) as error:
            log.info("state %s is not stored: %s", keepsake.state_id[:12], error)
            return False
        self.counts["exported_at_end"] += 1
        return True

    def _to_export(self, work: _Work) -> list[_Export]:
        """Of the states that were dear to reach, those that can be exported now."""
        wanted = [
            export
            for export in work.exports
            if export.handle.kind == "proof_state" and not self._why_no_export(export.state_id)
        ]
        if wanted and len(self._tasks) >= _MAX_EXPORTS:
            self.counts["export_skipped"] += len(wanted)
            return []
        return wanted

    async def _export_aside(self, lease: AsyncExitStack, repl: WarmREPL, work: _Work) -> None:
        """Pickle states beside the reply that is on its way, give the REPL back, and store them."""
        timeout_seconds = self._settings.export_timeout_seconds
        pickles: list[tuple[_Export, bytes]] = []
        async with lease:
            for export in self._to_export(work):
                if sum(len(pickle) for _, pickle in pickles) > self._settings.max_pickle_bytes:
                    self.counts["export_skipped"] += 1
                    continue
                limits = Limits(timeout_seconds=timeout_seconds, memory_bytes=work.memory_bytes)
                try:
                    pickles.append((export, await self._pickle(repl, export, limits)))
                except (LeanFleetError, _PickleFailedError) as error:
                    log.info("state %s is not exported: %s", export.state_id[:12], error)
                    break
        for export, pickle in pickles:
            try:
                blob = await self._store(export, pickle, timeout_seconds=timeout_seconds)
                await self._blobs.announce(blob, export.state_id, timeout_seconds=timeout_seconds)
            except LeanFleetError as error:
                log.info("state %s is not exported: %s", export.state_id[:12], error)
                return

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _text_result(response: CommandResponse | ErrorResponse) -> RunCodeResult:
    outcome, reason = command_outcome(response)
    if isinstance(response, ErrorResponse):
        return RunCodeResult(outcome=outcome, reason=reason)
    return RunCodeResult(
        outcome=outcome, reason=reason, messages=messages(response.messages), sorries=sorries(response.sorries)
    )


def _outcome(error: LeanFleetError) -> tuple[Outcome, str]:
    """As `failure_outcome`; what is no outcome of the operation is raised again."""
    if isinstance(error, PoolClosedError | ReplStartError | LostStateError):
        raise error
    return failure_outcome(error)


class _TacticFailedError(Exception):
    """A tactic ended its process."""

    def __init__(self, result: TacticResult) -> None:
        super().__init__(result.reason)
        self.result = result


class _PickleFailedError(Exception):
    """Lean could not pickle a state."""
