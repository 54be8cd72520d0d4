"""The client for code without an event loop: the same verbs, from any thread, and in a notebook that runs a loop.

All of it is the asynchronous client, on a loop of its own in one daemon thread.
"""

import asyncio
import itertools
import queue
import threading
from collections.abc import Coroutine, Generator, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from producer.client import Client, Finished, connected_settings
from producer.errors import ClientClosedError
from producer.lane import Priority
from producer.operation import DEFAULT_ALLOWED_AXIOMS, AnyOperation
from producer.result import (
    AnyResult,
    ExportStateResult,
    ImportStateResult,
    RunCodeResult,
    RunTacticsResult,
    TacticResult,
    VerifyProofResult,
)
from producer.settings import Settings
from producer.state import StateRef
from producer.stats import ClientStats

if TYPE_CHECKING:
    from producer.batch.sync import SyncBatches

T = TypeVar("T")


def connect_sync(
    *,
    broker_url: str | None = None,
    store_url: str | None = None,
    result_url: str | None = None,
    queue: str | None = None,
    settings: Settings | None = None,
) -> "SyncClient":
    """A client, to be used as `with leanfleet.connect_sync() as fleet:`. It takes and raises what `connect` does."""
    return SyncClient(
        connected_settings(
            broker_url=broker_url, store_url=store_url, result_url=result_url, queue=queue, settings=settings
        )
    )


class SyncClient:
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

    def run_code(
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
        return self._wait(
            self.client.run_code(
                code,
                state,
                timeout_seconds=timeout_seconds,
                memory_bytes=memory_bytes,
                fresh=fresh,
                deadline_seconds=deadline_seconds,
                priority=priority,
            )
        )

    def run_tactics(
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
        return self._wait(
            self.client.run_tactics(
                state,
                tactics,
                timeout_seconds=timeout_seconds,
                memory_bytes=memory_bytes,
                fresh=fresh,
                deadline_seconds=deadline_seconds,
                priority=priority,
            )
        )

    def run_tactic(
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
        return self._wait(
            self.client.run_tactic(
                state,
                tactic,
                timeout_seconds=timeout_seconds,
                memory_bytes=memory_bytes,
                fresh=fresh,
                deadline_seconds=deadline_seconds,
                priority=priority,
            )
        )

    def export_state(
        self,
        state: StateRef,
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> ExportStateResult:
        return self._wait(
            self.client.export_state(
                state,
                timeout_seconds=timeout_seconds,
                memory_bytes=memory_bytes,
                deadline_seconds=deadline_seconds,
                priority=priority,
            )
        )

    def import_state(
        self,
        state: StateRef,
        *,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        deadline_seconds: float | None = None,
        priority: Priority | None = None,
    ) -> ImportStateResult:
        return self._wait(
            self.client.import_state(
                state,
                timeout_seconds=timeout_seconds,
                memory_bytes=memory_bytes,
                deadline_seconds=deadline_seconds,
                priority=priority,
            )
        )

    def verify_proof(
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
        return self._wait(
            self.client.verify_proof(
                statement,
                proof,
                theorem=theorem,
                allowed_axioms=allowed_axioms,
                strength=strength,
                timeout_seconds=timeout_seconds,
                memory_bytes=memory_bytes,
                fresh=fresh,
                deadline_seconds=deadline_seconds,
                priority=priority,
            )
        )

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
        """As `Client.map`."""
        return self._wait(
            self.client.map(operations, window=window, deadline_seconds=deadline_seconds, priority=priority)
        )
