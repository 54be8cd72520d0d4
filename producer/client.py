"""The asynchronous client: what a training loop talks to.

One connection publishes, one reads replies, and a call is a future in a dictionary: no thread and no task for each, so
that a hundred thousand can wait. A call ends in exactly one of these ways: its result, a cancellation by the caller,
its deadline (outcome `lost`), or the client's end (`ClientClosedError`). A broker that goes away ends none of them.
"""

import asyncio
import contextlib
import itertools
import logging
import socket
import uuid
from collections.abc import AsyncGenerator, Iterable
from operator import itemgetter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, overload

import msgspec

from producer.arguments import require, texts_of
from producer.backoff import delay_seconds
from producer.call import Call
from producer.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    ClientClosedError,
    InvalidInputError,
    InvalidTextError,
    LeanFleetError,
    SettingsError,
    WireError,
)
from producer.keys import producer_id
from producer.lane import Priority, as_priority
from producer.operation import (
    DEFAULT_ALLOWED_AXIOMS,
    AnyOperation,
    ExportState,
    ImportState,
    RunCode,
    RunTactics,
    VerifyProof,
)
from producer.outbox import Outbox
from producer.outcome import Outcome
from producer.pump import Pump
from producer.reply import Reply, complete, failure
from producer.result import (
    AnyResult,
    ExportStateResult,
    ImportStateResult,
    RunCodeResult,
    RunTacticsResult,
    TacticResult,
    VerifyProofResult,
)
from producer.screening import all_refused, merged, screen, sendable
from producer.settings import Settings, without_password
from producer.state import StateRef
from producer.stats import ClientCounters, ClientStats
from producer.tasklets import stop
from producer.tracing import begin_call
from producer.transport import Publisher, ReplyChannel

if TYPE_CHECKING:
    from producer.batch.batches import Batches

_logger = logging.getLogger("leanfleet.client")

# How long a closing client tries to tell the broker what is no longer wanted.
GOODBYE_SECONDS = 2.0


class Finished(NamedTuple):
    """What `stream` yields: `place` counts from 0 in the order they were handed in."""

    place: int
    operation: AnyOperation
    result: AnyResult


class Client:
    """Runs operations on the fleet. Belongs to the event loop in which it was entered; not for other threads.

    Results are values whatever became of the operation (see `Outcome`). A verb raises only:
        InvalidInputError: the arguments cannot be an operation (no tactics, bytes for a text, a deadline of 0). A text
            that no Lean file could hold is the outcome `invalid_request`, for one of several tactics its own: models
            write such.
        WireError: the fleet's version is not one that this client understands.
        ClientClosedError: the client was closed before an answer came.

    What every verb takes:
        timeout_seconds, memory_bytes: the operation's limits on the worker, else those of the settings.
        deadline_seconds: how long this call waits at most, queue included; then its outcome is `lost` and the fleet
            does not begin it, or ends it. Without one it waits until it is answered or cancelled.
        priority: `interactive` is served before `bulk`. A single call is interactive, a stream's are bulk, unless it is
            said otherwise here or in the settings. At each level clients take turns, whatever their backlogs.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.broker_url:
            raise SettingsError(
                "no broker is known: set LEANFLEET_BROKER_URL (for a local one, run `leanfleet up`) or pass broker_url"
            )
        self.settings = settings
        self.id = producer_id(settings.user, f"{socket.gethostname()}-{uuid.uuid4().hex}")
        self._calls: dict[str, Call[Any]] = {}
        self._counters = ClientCounters()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._broken: LeanFleetError | None = None
        self._on_cancel = self._cancelled  # one bound method for all calls
        self._batches: Batches | None = None

    def __repr__(self) -> str:
        state = (
            "closed"
            if self._closed
            else f"{len(self._calls)} in flight, {len(self._outbox)} unsent"
            if self._tasks
            else "not connected"
        )
        return f"<leanfleet.Client {without_password(self.settings.broker_url)} {self.settings.queue}: {state}>"

    @property
    def in_flight(self) -> int:
        """How many calls wait for their result."""
        return len(self._calls)

    @property
    def is_waiting_for_broker(self) -> bool:
        """Whether the server of the replies is away just now; calls wait until it is back."""
        return bool(self._tasks) and self._replies.is_away

    def stats(self) -> ClientStats:
        """What this client has done so far and what it waits for: numbers for a log, `.text()` for Prometheus."""
        return self._counters.stats(in_flight=len(self._calls), unsent=len(self._outbox) if self._tasks else 0)

    @property
    def batches(self) -> "Batches":
        """Proofs in bulk, which need neither this client nor this process to live: see `producer.batch`."""
        if self._closed:
            raise ClientClosedError("the client is closed: make another one with leanfleet.connect()")
        if self._batches is None:
            from producer.batch.batches import Batches  # noqa: PLC0415 - most programs have none

            self._batches = Batches(self.settings)
        return self._batches

    # -- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailableError: none of `settings.connect_attempts` tries succeeded.
            SettingsError: an address is not one that is understood.
        """
        if self._tasks or self._closed:
            raise ClientClosedError("a client is entered once: make another one with leanfleet.connect()")
        self._loop = asyncio.get_running_loop()
        self._publisher, self._replies = self._open()
        self._outbox = Outbox(
            self._publisher,
            self._calls,
            client_id=self.id,
            settings=self.settings,
            counters=self._counters,
            refuse=self._refuse,
        )
        self._revocations: Pump[str] = Pump("revoking", self._replies.revoke, logger=_logger)
        try:
            await self._reach_broker()
        except BaseException:
            self._closed = True
            await self._disconnect()
            raise
        works = {**self._outbox.works(), "replies": self._replies.run(), "revoke": self._revocations.run()}
        for name, work in works.items():
            task = asyncio.create_task(work, name=f"leanfleet-{name}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)
        return self

    def _open(self) -> tuple[Publisher, ReplyChannel]:
        """The ways to the fleet and back, not yet connected."""
        # redis-py takes most of the time that `import leanfleet` would: it is paid for when it is needed.
        from producer.publisher import open_publisher  # noqa: PLC0415
        from producer.replies import RedisReplies  # noqa: PLC0415

        publisher = open_publisher(self.settings.broker_url)
        replies = RedisReplies(
            self.settings.reply_url,
            self.id,
            on_reply=self._replied,
            on_unreadable=self._unreadable,
            in_flight=lambda: len(self._calls),
        )
        return publisher, replies

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _reach_broker(self) -> None:
        for failures in itertools.count(1):
            try:
                await self._publisher.connect()
                await self._replies.connect()
            except BrokerRefusedError:
                raise
            except BrokerUnavailableError as error:
                said = error.message.removesuffix(".")  # as redis-py's end
                if failures >= self.settings.connect_attempts:
                    raise BrokerUnavailableError(
                        f"{said}; gave up after {failures} tries. "
                        "Is LEANFLEET_BROKER_URL right? For a local broker, run `leanfleet up`"
                    ) from error
                _logger.warning("%s; trying again (%d of %d)", said, failures, self.settings.connect_attempts)
                await asyncio.sleep(delay_seconds(failures, base=0.25))
            else:
                return

    async def close(self) -> None:
        """End: waiting calls get ClientClosedError and are withdrawn from the fleet. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._batches is not None:
                await self._batches.close()
        finally:
            if self._tasks:
                await self._end()

    async def _end(self) -> None:
        self._fail_all(ClientClosedError("the client was closed before an answer came"))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self._revocations.drained()
        finally:
            try:
                await stop(*self._tasks)
            finally:
                await self._disconnect()

    async def _disconnect(self) -> None:
        async with contextlib.AsyncExitStack() as parts:  # whatever becomes of one, the others are closed, too
            parts.push_async_callback(self._publisher.close)
            parts.push_async_callback(self._replies.close)
            if self._tasks:
                with contextlib.suppress(TimeoutError, BrokerUnavailableError):
                    async with asyncio.timeout(GOODBYE_SECONDS):
                        await self._replies.forget()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """No background task ends by itself; should one, then a caller must hear of it rather than wait for ever."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        _logger.critical("%s failed, the client stops working", task.get_name(), exc_info=error)
        self._broken = LeanFleetError(f"the client failed inside ({type(error).__name__}: {error}); please report it")
        self._fail_all(self._broken)

    # -- verbs -------------------------------------------------------------------------------------------------------

    async def run_code(
        self,
        code: str,
        state: StateRef | None = None,
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> RunCodeResult:
        """Elaborate Lean commands, in the environment `state` or after the imports that the code begins with.

        With `fresh` it is run in any case, where the fleet could answer from memory.
        """
        operation = RunCode(code=code, state=state, fresh=fresh, **self._limits(timeout_seconds, memory_bytes))
        return await self.submit(operation, deadline_seconds=deadline_seconds, priority=priority)

    async def run_tactics(
        self,
        state: StateRef,
        tactics: Iterable[str],
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> RunTacticsResult:
        """Try each of the tactics on one proof state, independently; one message, whatever their number.

        With `fresh` they are run in any case, where the fleet could answer from memory.
        """
        operation = RunTactics(
            state=state,
            tactics=texts_of("tactics", tactics),
            fresh=fresh,
            **self._limits(timeout_seconds, memory_bytes),
        )
        return await self.submit(operation, deadline_seconds=deadline_seconds, priority=priority)

    async def run_tactic(
        self,
        state: StateRef,
        tactic: str,
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> TacticResult:
        """Try one tactic, as `run_tactics` does. Where the whole operation failed, the tactic's outcome says how."""
        result = await self.run_tactics(
            state,
            (tactic,),
            timeout_seconds=timeout_seconds,
            memory_bytes=memory_bytes,
            fresh=fresh,
            deadline_seconds=deadline_seconds,
            priority=priority,
        )
        return result.tactics[0] if result.tactics else TacticResult(outcome=result.outcome, reason=result.reason)

    async def export_state(
        self,
        state: StateRef,
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> ExportStateResult:
        """Put the state into the store; the result's `state` is the same one and knows its blob."""
        operation = ExportState(state=state, **self._limits(timeout_seconds, memory_bytes))
        return await self.submit(operation, deadline_seconds=deadline_seconds, priority=priority)

    async def import_state(
        self,
        state: StateRef,
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> ImportStateResult:
        """Restore a state on some worker and say what its goals are."""
        operation = ImportState(state=state, **self._limits(timeout_seconds, memory_bytes))
        return await self.submit(operation, deadline_seconds=deadline_seconds, priority=priority)

    async def verify_proof(
        self,
        statement: str,
        proof: str,
        *,
        theorem: str = "",
        allowed_axioms: Iterable[str] = DEFAULT_ALLOWED_AXIOMS,
        strength: Literal["", "kernel", "command", "external"] = "",
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> VerifyProofResult:
        """Decide whether a text proves a statement; see `VerifyProof` for what the arguments are."""
        operation = VerifyProof(
            statement=statement,
            proof=proof,
            theorem=theorem,
            allowed_axioms=texts_of("allowed_axioms", allowed_axioms),
            strength=strength,
            fresh=fresh,
            **self._limits(timeout_seconds, memory_bytes),
        )
        return await self.submit(operation, deadline_seconds=deadline_seconds, priority=priority)

    def _limits(self, timeout_seconds: float | None, memory_bytes: int | None) -> dict[str, Any]:
        return {
            "timeout_seconds": self.settings.timeout_seconds if timeout_seconds is None else timeout_seconds,
            "memory_bytes": self.settings.memory_bytes if memory_bytes is None else memory_bytes,
        }

    async def stream(
        self,
        operations: Iterable[AnyOperation],
        *,
        window: int = 1000,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> AsyncGenerator[Finished]:
        """Run operations and yield each result when it is there, in the order in which they finish.

        Args:
            operations: drawn from lazily, while fewer than `window` are unanswered or not yet taken by the consumer.
            window: the most that are in flight; so a slow consumer holds back the producer.
            deadline_seconds: for each operation.
            priority: `bulk` unless it is said here or in the settings.

        Leaving the loop early withdraws what is in flight; `contextlib.aclosing` makes that happen at once.
        """
        finished: asyncio.Queue[Call[AnyResult]] = asyncio.Queue()
        flying: dict[Call[AnyResult], int] = {}
        source = enumerate(operations)
        priority = priority or self.settings.priority or "bulk"
        try:
            while True:
                for index, operation in itertools.islice(source, window - len(flying)):
                    call = self.submit(operation, deadline_seconds=deadline_seconds, priority=priority)
                    flying[call] = index
                    call.add_done_callback(finished.put_nowait)
                if not flying:
                    return
                call = await finished.get()
                yield Finished(flying.pop(call), call.operation, call.result())
        finally:
            for call in flying:
                call.cancel()

    async def map(
        self,
        operations: Iterable[AnyOperation],
        *,
        window: int = 1000,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> list[AnyResult]:
        """Run operations, at most `window` at a time, and return their results in the operations' order."""
        stream = self.stream(operations, window=window, deadline_seconds=deadline_seconds, priority=priority)
        async with contextlib.aclosing(stream):
            return [done.result for done in sorted([done async for done in stream], key=itemgetter(0))]

    # -- calls -------------------------------------------------------------------------------------------------------

    @overload
    def submit(
        self, operation: RunCode, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> Call[RunCodeResult]: ...
    @overload
    def submit(
        self, operation: RunTactics, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> Call[RunTacticsResult]: ...
    @overload
    def submit(
        self, operation: ExportState, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> Call[ExportStateResult]: ...
    @overload
    def submit(
        self, operation: ImportState, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> Call[ImportStateResult]: ...
    @overload
    def submit(
        self, operation: VerifyProof, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> Call[VerifyProofResult]: ...
    @overload
    def submit(
        self, operation: AnyOperation, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> Call[AnyResult]: ...

    def submit(
        self, operation: AnyOperation, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> Call[Any]:
        """Enqueue an operation at once and return the awaitable of its result: see the class for what it may raise."""
        if self._broken is not None:
            raise self._broken
        if self._closed or not self._tasks:
            raise ClientClosedError("the client is not connected: use it inside `async with leanfleet.connect() as …`")
        if deadline_seconds is not None:
            require("deadline_seconds", deadline_seconds, int, float)
            if not 0 < deadline_seconds < float("inf"):
                raise InvalidInputError(
                    f"deadline_seconds must be a positive number, not {deadline_seconds!r}: None waits for ever"
                )
        call: Call[Any] = Call(str(uuid.uuid4()), operation, loop=self._loop, on_cancel=self._on_cancel)
        call.priority = as_priority(priority or self.settings.priority or "interactive")
        self._counters.submitted += 1
        try:
            operation.checked(max_bytes=self.settings.max_operation_bytes)
        except InvalidTextError as error:
            refusal = self._screen(call, error)
            if refusal is not None:
                self._settle(call, refusal)
                return call
        if (traced := begin_call(operation, call.id, self.settings.queue)) is not None:
            call.trace(traced)
        if deadline_seconds is not None:
            call.timer = self._loop.call_later(deadline_seconds, self._late, call, deadline_seconds)
        self._calls[call.id] = call
        self._outbox.put(call)
        return call

    def _screen(self, call: Call[Any], error: InvalidTextError) -> AnyResult | None:
        """What a call with a text that cannot be asked ends with; None when other tactics of it can be."""
        operation = call.operation
        if isinstance(operation, RunTactics) and (screened := screen(operation)).refused:
            if not screened.tactics:
                return all_refused(operation)
            try:
                sendable(operation).checked(max_bytes=self.settings.max_operation_bytes)
            except InvalidTextError as other:
                error = other
            else:
                call.is_screened = True
                return None
        return failure(operation, Outcome.INVALID_REQUEST, error.message)

    def _refuse(self, call: Call[Any], reason: str) -> None:
        self._forget(call)
        self._settle(call, failure(call.operation, Outcome.INVALID_REQUEST, reason))

    def _forget(self, call: Call[Any]) -> bool:
        """Whether the call was still waited for; then it no longer is."""
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None
        return self._calls.pop(call.id, None) is not None

    def _cancelled(self, call: Call[Any]) -> None:
        if not self._forget(call):
            return
        self._counters.withdrawn += 1
        if call.is_out:
            self._revocations.put(call.id)

    def _late(self, call: Call[Any], deadline_seconds: float) -> None:
        if self._forget(call) and not call.done():
            if call.is_out:
                self._revocations.put(call.id)  # workers know the deadline, and drop it where it waits only when told
            reason = f"no answer within {deadline_seconds:g} s"
            self._settle(call, failure(call.operation, Outcome.LOST, reason))

    def _fail_all(self, error: LeanFleetError) -> None:
        for call in list(self._calls.values()):
            self._cancelled(call)
            if not call.done():
                call.set_exception(error)
                call.exception()  # whoever still waits gets it; nobody is told that an abandoned call had an error

    def _replied(self, reply: Reply) -> None:
        call = self._calls.get(reply.call_id)
        if call is None or not self._forget(call) or call.done():
            return  # a late twin, or nobody waits any more
        try:
            result = (merged if call.is_screened else complete)(call.operation, reply.result)
        except WireError as error:
            call.set_exception(error)
        else:
            self._settle(call, result)

    def _settle(self, call: Call[Any], result: AnyResult) -> None:
        result = _seen(result, self._loop.time() - call.submitted_at)
        self._counters.ended(call.operation.kind, result)
        call.set_result(result)

    def _unreadable(self, call_id: str, error: WireError) -> None:
        call = self._calls.get(call_id)
        if call is not None and self._forget(call) and not call.done():
            call.set_exception(error)


def _seen(result: AnyResult, total_seconds: float) -> AnyResult:
    timing = msgspec.structs.replace(result.timing, total_seconds=total_seconds)
    return msgspec.structs.replace(result, timing=timing)
