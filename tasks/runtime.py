"""What all threads of a worker process share: one event loop that holds the REPL pool and carries out operations."""

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer.connection import open_redis
from producer.result import AnyResult, Result
from producer.tasklets import stop
from tasks.background import lasting
from tasks.carrier import Carrier, Engine, Work
from tasks.clock import FleetClock
from tasks.delivery import Delivery
from tasks.errors import ReleasedError
from tasks.redelivery.lease import Lease
from tasks.redelivery.poison import Returns
from tasks.redelivery.settings import RedeliverySettings
from tasks.replies import ReplySender
from tasks.reporting import Reporter
from tasks.revocations import Revocations
from tasks.tracing import traced
from workers.tally import EngineSnapshot, Tally, WorkerSample
from workers.telemetry import Meter

logger = logging.getLogger(__name__)

# The loop only ever waits; a worker whose loop did not turn for so long will not finish anything.
RESPONSIVE_SECONDS = 30.0
_CLOSE_SECONDS = 15.0
# What is not counted in time passes for a loss, and a busy machine takes its time.
_RETURN_SECONDS = 5.0

OpenEngine = Callable[[], AbstractAsyncContextManager[Engine]]


class _Parts(NamedTuple):
    engine: Engine
    carrier: Carrier
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
        self._idle = threading.Condition()
        self._waiting: set[Future[Any]] = set()
        self._telling: set[Future[Any]] = set()
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="leanfleet-loop", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._clock = FleetClock()
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
        return time.monotonic() - self._turned_at < RESPONSIVE_SECONDS

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
            response = traced(parts.carrier.respond(work, delivery, lease), delivery, operation, self._queue)
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

    def terminate(self, call_id: str) -> None:
        """End an operation if it runs here, as an operator orders; whoever waits for it is told. For any thread."""
        if self._parts is not None:
            self._call_soon(functools.partial(self._parts.carrier.terminate, call_id))

    def end_after(self, telling: Future[Any]) -> None:
        """Have `wait_idle` wait for a thread, too, that lets go of a delivery and may need the loop for it."""
        with self._idle:
            self._telling.add(telling)
        telling.add_done_callback(self._told)

    def _told(self, telling: Future[Any]) -> None:
        with self._idle:
            self._telling.discard(telling)
            self._idle.notify_all()

    def wait_idle(self) -> None:
        """Return when nobody waits for an operation any more, and who did has been told of its end."""
        with self._idle:
            self._idle.wait_for(lambda: not self._waiting and not self._telling)

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

            def run(beside: dict[str, Callable[[], Coroutine[Any, Any, None]]]) -> None:
                background = [asyncio.create_task(lasting(what, work)) for what, work in beside.items()]
                stack.push_async_callback(stop, *background)

            redis = open_redis(self._reply_url)
            stack.push_async_callback(redis.aclose)
            replies = await stack.enter_async_context(ReplySender(redis).running())
            revoked = Revocations(redis, on_new=self._on_revoked, clock=self.now)
            run(
                {
                    "asking the server for the time": functools.partial(self._clock.run, redis),
                    "reading revocations": revoked.run,
                    "turning the loop": self._turn,
                    **{f"watching for notices ({number})": work for number, work in enumerate(self._beside, 1)},
                }
            )
            if self._reporter is not None:
                run({"reporting": functools.partial(self._reporter.run, redis)})
            engine = await stack.enter_async_context(self._open_engine())
            carrier = Carrier(
                engine,
                redis=redis,
                replies=replies,
                revoked=revoked,
                clock=self.now,
                queue=self._queue,
                redelivery=self._redelivery,
                counts_returns=self._counts_returns,
                ends_leases=self._ends_leases,
                meter=self.meter,
                tally=self.tally,
            )
            run({"watching deadlines": carrier.watch, "watching batches": carrier.watch_batches})
            self._parts = _Parts(engine, carrier, redis)
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
        if self._parts is not None:
            self._parts.carrier.end_revoked(call_ids)


_current: Runtime | None = None


def current_runtime() -> Runtime | None:
    """This process's runtime, while the worker runs."""
    return _current


def set_current_runtime(runtime: Runtime | None) -> None:
    global _current  # noqa: PLW0603 - Celery gives its tasks no other way to find what the worker has started
    _current = runtime
