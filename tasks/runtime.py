"""What all threads of a worker process share: one event loop that holds the REPL pool and carries out operations."""

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer.backoff import Outage
from producer.connection import open_redis
from producer.errors import ImportDiedError, PoolClosedError, ReplStartError
from producer.operation import AnyOperation
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply, failure
from producer.result import RESULTS, AnyResult, Result, RunTacticsResult
from producer.tasklets import stop
from tasks.appetite import Patience
from tasks.background import lasting
from tasks.batches import Batches
from tasks.clock import FleetClock
from tasks.delivery import Delivery
from tasks.errors import BusyError, ElsewhereError, ReleasedError, RevokedError
from tasks.held import Held
from tasks.redelivery.dead import DeadLetter, bury
from tasks.redelivery.lease import Lease
from tasks.redelivery.poison import Bounces, Deaths, Returns, too_many_deaths, too_many_losses
from tasks.redelivery.settings import RedeliverySettings
from tasks.replies import ReplySender
from tasks.reporting import Reporter
from tasks.revocations import Revocations
from tasks.tracing import traced
from workers.tally import EngineSnapshot, Tally, WorkerSample
from workers.telemetry import Meter

T = TypeVar("T")

# What a delivery asks for, or the answer to one that asks for nothing that can be carried out.
Work = AnyOperation | AnyResult

logger = logging.getLogger(__name__)

# The loop only ever waits; a worker whose loop did not turn for so long will not finish anything.
_RESPONSIVE_SECONDS = 30.0
_CLOSE_SECONDS = 15.0
_RETURN_SECONDS = 1.0
# While anything is held: how often it is looked at whether that is to go on.
_LOOK_SECONDS = 0.1
_BATCHES_SECONDS = 1.0


class Engine(Protocol):
    """The part that knows of Lean; see `workers.executor`."""

    async def execute(self, operation: AnyOperation) -> AnyResult: ...

    def stuck(self) -> dict[asyncio.Task[Any], float]: ...

    async def store_keepsakes(self, *, seconds: float) -> int: ...

    def snapshot(self) -> EngineSnapshot: ...


OpenEngine = Callable[[], AbstractAsyncContextManager[Engine]]


class _Parts(NamedTuple):
    engine: Engine
    replies: ReplySender
    revoked: Revocations
    batches: Batches
    deaths: Deaths
    redis: Redis


class Runtime:
    """Started and closed by the worker's life cycle; `execute` is for its threads."""

    def __init__(
        self,
        open_engine: OpenEngine,
        *,
        reply_url: str,
        queue: str,
        redelivery: RedeliverySettings,
        counts_returns: bool = False,
        ends_leases: bool = False,
    ) -> None:
        """Nothing is started yet.

        Args:
            open_engine: what carries out operations.
            reply_url: where replies are stored.
            queue: whose dead letters are kept.
            redelivery: how often an operation is tried.
            counts_returns: the broker's count of lost workers has those in it who handed back on purpose.
            ends_leases: leases are on the server that stores the replies.
        """
        self._open_engine = open_engine
        self._reply_url = reply_url
        self._queue = queue
        self._redelivery = redelivery
        self._counts_returns = counts_returns
        self._ends_leases = ends_leases
        self.meter = Meter()
        self.tally = Tally()
        self._reporter: Reporter | None = None
        self._beside: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._bounces = Bounces()
        self._idle = threading.Condition()
        self._waiting: set[Future[Any]] = set()
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="leanfleet-loop", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._held = Held()
        self._clock = FleetClock()
        self._patience = Patience()
        self._begun = asyncio.Event()
        self._closing = False
        self._storing: Future[Any] | None = None
        self._turned_at = time.monotonic()
        self._parts: _Parts | None = None

    def __repr__(self) -> str:
        state = "closing" if self._closing else "running" if self._started.done() else "starting"
        return f"<Runtime {state}, {len(self._running)} operations, {self._parts.engine if self._parts else None!r}>"

    @property
    def started(self) -> bool:
        """Whether the engine takes operations, or did."""
        return self._parts is not None

    def report_with(self, reporter: Reporter) -> None:
        """Have this worker's reports sent; to be called before `start`."""
        self._reporter = reporter

    def run_beside(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run this on the loop, too, until the worker ends; to be called before `start`."""
        self._beside.append(work)

    def start(self) -> None:
        """Return when the engine takes operations; raise what opening it raised."""
        self._thread.start()
        self._started.result()

    def close(self) -> None:
        """Release what still runs and close the engine. Safe to call twice, and when it never started."""
        self.release()
        if self._loop is not None and self._stopping is not None:
            self._call_soon(self._stopping.set)
        if self._thread.is_alive():
            self._thread.join(timeout=_CLOSE_SECONDS)
            if self._thread.is_alive():
                logger.error("the REPL pool did not close within %g s: leaving it to the guard", _CLOSE_SECONDS)

    def release(self) -> None:
        """Stop all that runs: each `execute` raises ReleasedError, now and from now on.

        It does not wait for REPLs to be interrupted, which takes a second: others may have the deliveries before.
        """
        with self._idle:
            self._closing = True
            waiting = list(self._waiting)
        self.tally.released += len(waiting)
        for future in waiting:
            future.cancel()  # its delivery goes back at once; the task on the loop ends later
        self._call_soon(self._cancel_all)

    def is_responsive(self) -> bool:
        return time.monotonic() - self._turned_at < _RESPONSIVE_SECONDS

    def now(self) -> float:
        """Unix time as the fleet has it, to compare with a call's deadline."""
        return self._clock.now()

    def look(self) -> EngineSnapshot | None:
        """Pool and counters now; None before the engine is open. On the event loop only."""
        return None if self._parts is None else self._parts.engine.snapshot()

    def sample(self, timeout_seconds: float) -> WorkerSample | None:
        """What the metrics are made from; None when the loop does not answer in time. For other threads."""
        if self._loop is None:
            return None
        coroutine = self._sample()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_seconds)
        except RuntimeError:  # the loop was closed just now
            coroutine.close()
        except (TimeoutError, concurrent.futures.CancelledError):
            logger.debug("the event loop does not answer a scrape")
        return None

    async def _sample(self) -> WorkerSample:
        return WorkerSample(
            report=None if self._reporter is None else self._reporter.look(),
            engine=self.look(),
            usage=self.meter.usage(),
        )

    def execute(self, work: Work, delivery: Delivery) -> AnyResult:
        """Carry out an operation, or answer one that cannot be; when this returns, the reply is where its caller looks.

        Raises:
            ReleasedError: the worker is ending.
            BusyError: nothing was begun, and another worker may be sooner to.
            ElsewhereError: nothing is answered; another worker is to try.
            RevokedError: nothing is answered, since nobody waits for it any more.
        """
        try:
            return self.submit(work, delivery, Future()).result()
        except concurrent.futures.CancelledError:
            raise ReleasedError("the worker is ending") from None

    def submit(
        self, work: Work, delivery: Delivery, future: Future[AnyResult], lease: Lease | None = None
    ) -> Future[AnyResult]:
        """As `execute`, without waiting: `future` gets what comes of it, and is cancelled when the worker is ending.

        Callbacks that it has already run before this worker ends: on the event loop, which they must not hold up, or in
        the thread that ends it. A `lease` on the server that stores the reply ends in the same step, where it can.
        """
        with self._idle:
            self._waiting.add(future)
        future.add_done_callback(self._forget)
        try:
            if self._closing or self._loop is None or self._parts is None:
                future.cancel()
            else:
                self._loop.call_soon_threadsafe(self._begin, self._parts, work, delivery, future, lease)
        except RuntimeError:  # the loop was closed just now
            future.cancel()
        return future

    def _forget(self, future: Future[AnyResult]) -> None:
        with self._idle:
            self._waiting.discard(future)
            self._idle.notify_all()

    def _begin(
        self, parts: _Parts, work: Work, delivery: Delivery, future: Future[AnyResult], lease: Lease | None
    ) -> None:
        if not future.cancelled():
            operation = None if isinstance(work, Result) else work
            response = traced(self._respond(parts, work, delivery, lease), delivery, operation, self._queue)
            task = asyncio.create_task(self._settle(future, response))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _settle(self, future: Future[AnyResult], work: Coroutine[Any, Any, AnyResult]) -> None:
        """Give the future what comes of the work, unless it was cancelled meanwhile."""
        try:
            result = await work
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for it
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                future.set_exception(error)
        else:
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                future.set_result(result)

    async def _respond(self, parts: _Parts, work: Work, delivery: Delivery, lease: Lease | None) -> AnyResult:
        if delivery.flaw:
            return await self._refuse(parts, work, delivery, lease)
        if await self._is_revoked(parts, delivery):
            self.tally.revoked += 1
            raise RevokedError("its producer gave it up, or its batch is closed")
        if _deadline(delivery) < self.now():
            work = RESULTS[delivery.kind](outcome=Outcome.LOST, reason="its deadline passed in the queue")
        if isinstance(work, Result):
            return await self._answer(parts, work, delivery, lease, ran=False)
        return await self._carry_out(parts, work, delivery, lease)

    async def _is_revoked(self, parts: _Parts, delivery: Delivery) -> bool:
        """Whether nobody wants the answer any more: its producer withdrew the call, or its batch was closed."""
        key = _batch_key(delivery)
        return delivery.id in parts.revoked if key is None else not await parts.batches.is_open(key)

    @property
    def is_storing(self) -> bool:
        """Whether `store_keepsakes` is at it."""
        return self._storing is not None and not self._storing.done()

    def store_keepsakes(self, seconds: float) -> None:
        """Have states stored that would be dear to have again; returns at once. `wait_idle` waits for it, `release`
        ends it. For a worker that drains.
        """
        if self._loop is None or self._parts is None:
            return
        coroutine = self._parts.engine.store_keepsakes(seconds=seconds)
        try:
            future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the loop was closed just now
            coroutine.close()
            return
        self._storing = future
        with self._idle:
            self._waiting.add(future)
        future.add_done_callback(self._forget)
        if self._closing:
            future.cancel()

    def hand_back(self, delivery: Delivery) -> None:
        """To be told before a delivery is handed back. What cannot be counted now will pass for a loss."""
        if not self._counts_returns or self._loop is None or self._parts is None:
            return
        coroutine = Returns(self._parts.redis).add(delivery.id)
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_RETURN_SECONDS)
        except RuntimeError:  # the loop was closed just now
            coroutine.close()
        except (RedisError, OSError, concurrent.futures.CancelledError) as error:
            logger.debug("operation %s is handed back uncounted: %r", delivery.id, error)

    def wait_idle(self) -> None:
        """Return when nobody waits for an operation any more, and who did has been told of its end."""
        with self._idle:
            self._idle.wait_for(lambda: not self._waiting)

    def _call_soon(self, callback: Callable[[], object]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed: there is nothing left to tell
            return

    def _cancel_all(self) -> None:
        for task in list(self._running):
            task.cancel()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # this thread is the worker; its end must not go unnoticed
            if not self._started.done():
                self._started.set_exception(error)
            else:
                logger.critical("the event loop of this worker broke down: ending it", exc_info=error)
                os.kill(os.getpid(), signal.SIGTERM)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        async with AsyncExitStack() as stack:
            redis = open_redis(self._reply_url)
            stack.push_async_callback(redis.aclose)
            replies = await stack.enter_async_context(ReplySender(redis).running())
            revoked = Revocations(redis, on_new=self._on_revoked, clock=self.now)
            beside: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = [
                ("asking the server for the time", functools.partial(self._clock.run, redis)),
                ("reading revocations", revoked.run),
                ("turning the loop", self._turn),
                ("watching deadlines", self._watch),
                ("watching batches", self._watch_batches),
                *(("watching for notices", work) for work in self._beside),
            ]
            if self._reporter is not None:
                beside.append(("reporting", functools.partial(self._reporter.run, redis)))
            background = [asyncio.create_task(lasting(what, work)) for what, work in beside]
            stack.push_async_callback(stop, *background)
            engine = await stack.enter_async_context(self._open_engine())
            self._parts = _Parts(engine, replies, revoked, Batches(redis), Deaths(redis), redis)
            self._started.set_result(None)
            await self._stopping.wait()
            self._cancel_all()
            if self._running:
                await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)

    async def _turn(self) -> None:
        while True:
            self._turned_at = time.monotonic()
            await asyncio.sleep(1.0)

    def _on_revoked(self, call_ids: set[str]) -> None:
        self._end("its producer gave it up", lambda delivery: delivery.id in call_ids)

    def _end(self, reason: str, which: Callable[[Delivery], bool]) -> None:
        if count := self._held.end(RevokedError(reason), which):
            self.tally.revoked += count
            logger.info("%d operations are ended, each since %s", count, reason)

    async def _watch(self) -> None:
        """End what is held for longer than it is of use."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            while self._held:
                await asyncio.sleep(_LOOK_SECONDS)
                now = self.now()
                self._end("its deadline passed", lambda delivery: _deadline(delivery) < now)  # noqa: B023 - called here
                self._hand_on()

    def _hand_on(self) -> None:
        """Hand back what others may be sooner to carry out. Their own count of losses and deaths stays as it is."""
        if self._parts is None:
            return
        now = time.monotonic()
        for task, since in self._parts.engine.stuck().items():
            delivery = self._held.deliveries.get(task)
            if delivery is not None and self._patience.is_over(delivery.id, now - since):
                self._patience.handed_back(delivery.id)
                self.tally.handed_on += 1
                self._held.end_task(task, BusyError("all REPLs of this worker are at work"))

    async def _watch_batches(self) -> None:
        while True:
            await asyncio.sleep(_BATCHES_SECONDS)
            keys = {_batch_key(delivery) for delivery in self._held.deliveries.values()}
            for key in keys - {None}:
                if self._parts is not None and key is not None and not await self._parts.batches.is_open(key):
                    self._end("its batch is closed", lambda delivery: _batch_key(delivery) == key)  # noqa: B023 - as above

    async def _carry_out(
        self, parts: _Parts, operation: AnyOperation, delivery: Delivery, lease: Lease | None
    ) -> AnyResult:
        with self._held.carrying_out(delivery):
            self._begun.set()
            return await self._execute(parts, operation, delivery, lease)

    async def _execute(
        self, parts: _Parts, operation: AnyOperation, delivery: Delivery, lease: Lease | None
    ) -> AnyResult:
        taken_at = self.now()
        if self._counts_returns and delivery.losses:
            returns = await _persistently(lambda: Returns(parts.redis).so_far(delivery.id))
            delivery = msgspec.structs.replace(delivery, losses=max(0, delivery.losses - returns))
        self.tally.redelivered += delivery.losses > 0
        if too_many_losses(delivery.losses, self._redelivery):
            reason = f"{delivery.losses} workers vanished while they ran it"
            return await self._give_up(parts, failure(operation, Outcome.REPL_DIED, reason), operation, delivery, lease)
        if self._bounces.is_for_others(delivery.id):
            self.tally.bounced += 1
            raise ElsewhereError("its REPL died here before")
        try:
            with self.meter.running(operation.kind):
                result = await parts.engine.execute(operation)
        except PoolClosedError as error:
            raise ReleasedError(error.message) from error
        except ImportDiedError as error:
            result = failure(operation, Outcome.REPL_DIED, error.message)
        except ReplStartError as error:
            # This worker's trouble: no REPL has seen the operation, which is therefore not counted among its deaths.
            logger.warning("operation %s is handed back: %s", delivery.id, error)
            self._bounces.died_here(delivery.id)
            self.tally.bounced += 1
            raise ElsewhereError(error.message) from error
        except Exception:
            logger.exception("a bug: operation %s (%s) raised", delivery.id, operation.kind)
            result = failure(operation, Outcome.REPL_DIED, "an internal error of the worker; its log says more")
        queued = max(0.0, taken_at - delivery.call.enqueued_at) if delivery.call is not None else 0.0
        timing = msgspec.structs.replace(result.timing, queued_seconds=queued)
        result = msgspec.structs.replace(result, timing=timing)
        if (death := _death(result)) is None:
            return await self._answer(parts, result, delivery, lease, ran=True)
        self._bounces.died_here(delivery.id)
        deaths = await _persistently(lambda: parts.deaths.add(delivery.id))
        if not too_many_deaths(deaths, self._redelivery):
            logger.warning("operation %s: its REPL died (%d.): %s", delivery.id, deaths, death)
            self.tally.bounced += 1
            raise ElsewhereError(death)
        delivery = msgspec.structs.replace(delivery, deaths=deaths - 1)
        result = msgspec.structs.replace(failure(operation, Outcome.REPL_DIED, death), timing=timing)
        return await self._give_up(parts, result, operation, delivery, lease)

    async def _give_up(
        self, parts: _Parts, result: AnyResult, operation: AnyOperation, delivery: Delivery, lease: Lease | None
    ) -> AnyResult:
        await self._bury(parts, result.reason, delivery, operation.label, _arguments(operation))
        return await self._answer(parts, result, delivery, lease, ran=False)

    async def _bury(
        self, parts: _Parts, reason: str, delivery: Delivery, label: str, arguments: dict[str, Any]
    ) -> None:
        logger.error("operation %s is put among the dead letters: %s", delivery.id, reason)
        letter = DeadLetter(
            id=delivery.id,
            at=self.now(),
            reason=reason,
            kind=delivery.kind,
            label=label,
            arguments=arguments,
            worker=delivery.worker,
        )

        async def bury_it() -> None:
            async with parts.redis.pipeline() as pipeline:
                bury(pipeline, self._queue, letter)
                await pipeline.execute()
            await parts.deaths.forget(delivery.id)

        await _persistently(bury_it)
        self.tally.dead_letters += 1

    async def _refuse(self, parts: _Parts, work: Work, delivery: Delivery, lease: Lease | None) -> AnyResult:
        """Answer what was not understood, or keep it among the dead letters when it says not to whom."""
        result = RESULTS[delivery.kind](outcome=Outcome.INVALID_REQUEST, reason=delivery.flaw)
        if delivery.call is not None:
            return await self._answer(parts, result, delivery, lease, ran=False)
        await self._bury(
            parts, result.reason, delivery, delivery.label, {} if isinstance(work, Result) else _arguments(work)
        )
        return result

    async def _answer(
        self, parts: _Parts, result: AnyResult, delivery: Delivery, lease: Lease | None, *, ran: bool
    ) -> AnyResult:
        self.tally.answered(delivery.kind, result, enqueued=ran and delivery.call is not None, ran=ran)
        result = msgspec.structs.replace(result, worker=delivery.worker, attempt=delivery.attempt)
        if delivery.call is not None:
            reply = encode_reply(Reply(call_id=delivery.id, result=result))
            with_it = lease if self._ends_leases else None
            if await parts.replies.send(delivery.call, reply, with_it) and with_it is not None:
                with_it.ended()
        return result


def _arguments(operation: AnyOperation) -> dict[str, Any]:
    arguments: dict[str, Any] = msgspec.to_builtins(operation)
    del arguments["kind"]
    return arguments


def _death(result: AnyResult) -> str | None:
    """Why the REPL died, where that is all that came of the operation.

    A tactic that ends its REPL spoils nothing for those beside it, and is not tried again; alone it is the operation.
    """
    if isinstance(result, RunTacticsResult) and result.tactics:
        dead = [tactic for tactic in result.tactics if tactic.outcome is Outcome.REPL_DIED]
        return dead[0].reason if len(dead) == len(result.tactics) else None
    return result.reason if result.outcome is Outcome.REPL_DIED else None


def _batch_key(delivery: Delivery) -> str | None:
    batch = None if delivery.call is None else delivery.call.batch
    return None if batch is None else batch.key


def _deadline(delivery: Delivery) -> float:
    """Unix time. No batch has one: its answers are kept for whoever comes for them."""
    return math.inf if delivery.call is None or delivery.call.deadline is None else delivery.call.deadline


async def _persistently(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Repeat what needs the server until it works; the drain's cancellation is the only other end."""
    outage = Outage("counting and burying dead operations", logger)
    while True:
        try:
            value = await work()
        except (RedisError, OSError) as error:
            await outage.wait(error)
            continue
        outage.over()
        return value


_current: Runtime | None = None


def current_runtime() -> Runtime | None:
    """This process's runtime, while the worker runs."""
    return _current


def set_current_runtime(runtime: Runtime | None) -> None:
    global _current  # noqa: PLW0603 - Celery gives its tasks no other way to find what the worker has started
    _current = runtime
