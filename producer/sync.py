"""The client for code without an event loop: the same verbs, from any thread, and in a notebook that runs a loop.

All of it is the asynchronous client, on a loop of its own in one daemon thread.
"""

import asyncio
import contextlib
import itertools
import queue
import threading
from collections.abc import Coroutine, Generator, Iterable
from concurrent.futures import Future
from operator import itemgetter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from producer.blocking import Blocking, blocking
from producer.client import Client, Finished
from producer.errors import ClientClosedError, LeanFleetError
from producer.lane import Priority
from producer.operation import AnyOperation
from producer.result import AnyResult
from producer.settings import Settings
from producer.stats import ClientStats

if TYPE_CHECKING:
    from producer.batch.sync import SyncBatches

T = TypeVar("T")


class SyncClient(Blocking[Client]):
    """`Client`, with verbs that block. Every thread may use it; what verbs take and raise is said there."""

    def __init__(self, settings: Settings) -> None:
        self.client = Client(settings)
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, name="leanfleet-client", daemon=True)
        # Held while work is given to the loop: what is accepted is carried out, or ended, before the loop is closed.
        self._giving = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return repr(self.client).replace("leanfleet.Client", "leanfleet.SyncClient")

    @property
    def settings(self) -> Settings:
        return self.client.settings

    @property
    def in_flight(self) -> int:
        return self.client.in_flight

    def stats(self) -> ClientStats:
        """As `Client.stats`."""
        return self.client.stats()

    @property
    def batches(self) -> "SyncBatches":
        """As `Client.batches`, with methods that block."""
        from producer.batch.sync import SyncBatches  # noqa: PLC0415 - most programs have none

        return SyncBatches(lambda: self.client.batches, self._wait)

    def _target(self) -> Client:
        return self.client

    def __enter__(self) -> Self:
        """Connect; raises what entering a `Client` raises."""
        if self._thread.ident is not None:
            raise ClientClosedError("a client is entered once: make another one with leanfleet.connect_sync()")
        self._thread.start()
        try:
            self._loop = self._ready.result()
        except KeyboardInterrupt:
            self._ready.cancel()  # the thread closes again what it is about to open
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End: waiting calls, in whatever thread, get ClientClosedError. Closing twice is fine."""
        with self._giving:
            if self._loop is None:
                return
            if not self._is_closed:
                self._loop.call_soon_threadsafe(self._stop.set)
            self._is_closed = True
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._stop = asyncio.Event()
        try:
            await self.client.__aenter__()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            if self._ready.set_running_or_notify_cancel():
                self._ready.set_exception(error)
            return
        try:
            if self._ready.set_running_or_notify_cancel():
                self._ready.set_result(asyncio.get_running_loop())
                await self._stop.wait()
        finally:
            await self.client.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        if threading.current_thread() is self._thread:
            work.close()
            raise LeanFleetError(
                "a blocking client was asked in its own thread, by something that it had been given (an iterator, "
                "`on_progress`, or a done callback), which would wait for itself for ever: ask in another thread"
            )
        with self._giving:
            if self._loop is not None and not self._is_closed:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise ClientClosedError("the client is not connected: use it inside `with leanfleet.connect_sync() as …`")

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = self._start(work)
        try:
            return future.result()
        finally:
            future.cancel()  # does something only after Ctrl-C: the call is withdrawn

    def submit(
        self, operation: AnyOperation, *, deadline_seconds: float | None = None, priority: Priority | None = None
    ) -> "Future[AnyResult]":
        """Enqueue an operation and return at once; `result()` waits, `cancel()` withdraws it."""

        async def run() -> AnyResult:
            return await self.client.submit(operation, deadline_seconds=deadline_seconds, priority=priority)

        return self._start(run())

    run_code = blocking(Client.run_code)
    run_tactics = blocking(Client.run_tactics)
    run_tactic = blocking(Client.run_tactic)
    export_state = blocking(Client.export_state)
    import_state = blocking(Client.import_state)
    verify_proof = blocking(Client.verify_proof)

    def stream(
        self,
        operations: Iterable[AnyOperation],
        *,
        window: int = 1000,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> Generator[Finished]:
        """As `Client.stream`. `operations` is drawn from in the calling thread."""
        finished: queue.SimpleQueue[Future[AnyResult]] = queue.SimpleQueue()
        flying: dict[Future[AnyResult], tuple[int, AnyOperation]] = {}
        source = enumerate(operations)
        priority = priority or self.settings.priority or "bulk"
        try:
            while True:
                for index, operation in itertools.islice(source, window - len(flying)):
                    future = self.submit(operation, deadline_seconds=deadline_seconds, priority=priority)
                    flying[future] = (index, operation)
                    future.add_done_callback(finished.put)
                if not flying:
                    return
                future = finished.get()
                yield Finished(*flying.pop(future), future.result())
        finally:
            for future in flying:
                future.cancel()

    def map(
        self,
        operations: Iterable[AnyOperation],
        *,
        window: int = 1000,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> list[AnyResult]:
        """As `Client.map`. `operations` is drawn from in the calling thread."""
        stream = self.stream(operations, window=window, deadline_seconds=deadline_seconds, priority=priority)
        with contextlib.closing(stream):
            return [done.result for done in sorted(stream, key=itemgetter(0))]
