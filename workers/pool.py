"""Warm REPLs, each with its header imported, handed out one lease at a time.

`workers.assignment` decides who gets which; here the decisions are carried out. Whatever takes time (starting,
importing, waiting for a cancelled request's reply, reaping) runs in tasks that the pool holds and awaits when it is
closed; granting and taking back never wait, so that no cancellation can fall between a REPL and the one who has it.
"""

import asyncio
import contextlib
import contextvars
import functools
import logging
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self, TypeVar

from producer.errors import (
    HeaderError,
    ImportDiedError,
    InvalidInputError,
    LeanFleetError,
    PoolClosedError,
    ReplError,
    ReplOutOfMemoryError,
    ReplStartError,
    ReplTimeoutError,
)
from workers.assignment import PoolView, ProcessView, Retirement, Status, WaiterView, assign, choose
from workers.backoff import backoff_seconds
from workers.guard import Guard
from workers.images import criu
from workers.images.errors import ImageError
from workers.images.freezing import remove
from workers.images.image import Image
from workers.images.stock import Counts, ImageStock
from workers.images.thawing import thaw
from workers.launch import Isolation, Launch, no_isolation
from workers.lru import LRU
from workers.memory import GroupMemory, machine_bytes
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject
from workers.protocol import get_adapter
from workers.protocol.requests import Request
from workers.protocol.responses import ErrorResponse, Response
from workers.settings import PoolSettings

R = TypeVar("R", bound=Response)

# How many headers are remembered: imported ones by use, and ones that cannot be imported for a while.
KNOWN_HEADERS = 64
BAD_HEADERS = 256
BAD_HEADER_SECONDS = 60.0
# A REPL's memory is looked at when it comes back, at most this often.
MEMORY_CHECK_SECONDS = 1.0
# A killed process ends in milliseconds, unless it hangs in the kernel: on a dead network file system, say.
REAP_SECONDS = 30.0
# Where the settings do not say when a REPL has grown too large: its share of this much of the machine's memory, so that
# all of them together leave room for an operation that needs more, and for the compiled modules that they map.
RECYCLE_SHARE = 0.5
MOST_RECYCLE_BYTES = 3 * 1024**3
# Limits on age and use are drawn from this much below them, so that REPLs that started together do not end together.
RECYCLE_JITTER = 0.2

log = logging.getLogger("leanfleet.pool")


class Handle(NamedTuple):
    """What a REPL calls a state that lives in it."""

    kind: Literal["environment", "proof_state"]
    number: int


@dataclass(eq=False, kw_only=True)
class _Member:
    """One place in the pool: a process, from before it starts until it is reaped."""

    id: int
    header: str
    states: LRU[str, Handle]
    most_uses: float
    most_age_seconds: float
    status: Status = Status.STARTING
    process: AsyncLeanREPLProcess | None = None
    folder: Path | None = None
    enclosure: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    environment: int | None = None
    created_at: float = field(default_factory=time.monotonic)
    ready_at: float = math.inf
    uses: int = 0
    last_used: int = 0
    memory_bytes: int = 0
    memory_checked_at: float = -math.inf
    due: Retirement | None = None

    @property
    def view(self) -> ProcessView:
        return ProcessView(
            id=self.id,
            status=self.status,
            header=self.header,
            last_used=self.last_used,
            states=self.states,
            due=self.due,
        )


@dataclass(eq=False, kw_only=True)
class _Waiter:
    id: int
    header: str
    prefer: tuple[str, ...]
    future: "asyncio.Future[_Member]"
    since: float = field(default_factory=time.monotonic)


@dataclass(kw_only=True)
class _Failures:
    """Starts of one header that failed in a row."""

    error: ReplError
    count: int = 0
    held_until: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ReplStatus:
    """One REPL of the pool, as seen at one moment. Bytes are as of its last return."""

    pid: int | None
    status: Status
    header: str
    uses: int
    age_seconds: float
    memory_bytes: int
    states: int


@dataclass(frozen=True, kw_only=True)
class PoolSnapshot:
    """The pool at one moment, and its counters since it was opened."""

    size: int
    spares: int
    busy: int
    idle: int
    starting: int
    waiting: int
    repls: tuple[ReplStatus, ...]
    starts: int  # REPLs that came up
    start_failures: int
    leases: int
    warm_hits: int  # leases whose REPL was ready when they were asked for
    state_hits: int  # leases whose REPL has a state that was preferred
    thaws: int  # starts that were thawed from an image
    thaw_failures: int  # images that did not thaw: a start took their place
    images: dict[str, int]  # frozen, freeze_failed, fetched from a store, refused before they were thawed
    ended: dict[str, int]  # why REPLs ended: memory, age, uses, header, surplus, timeout, out_of_memory, died, …


class WarmREPL:
    """A REPL for the time of a lease: its header is imported, and `states` says what else lives in it."""

    def __init__(self, member: _Member) -> None:
        self._member: _Member | None = member

    def __repr__(self) -> str:
        return f"<WarmREPL {self._member.process!r}>" if self._member is not None else "<WarmREPL, lease over>"

    @property
    def environment(self) -> int | None:
        """The number of the environment in which the header is imported; None where a REPL has imports at its start."""
        return self._leased.environment

    @property
    def header(self) -> str:
        return self._leased.header

    @property
    def states(self) -> MutableMapping[str, Handle]:
        """What lives in this process, by `StateRef.id`; bounded, the least recently used is forgotten first."""
        return self._leased.states

    @property
    def folder(self) -> Path | None:
        """Where it and the worker can exchange files; None where it reaches every path."""
        return self._leased.folder

    @property
    def pid(self) -> int:
        return self._process.pid

    async def send(
        self, request: Request[R], *, timeout_seconds: float, memory_bytes: int | None = None
    ) -> R | ErrorResponse:
        """As `AsyncLeanREPLProcess.send`; after an error the process is gone and the lease of no more use.

        Raises:
            ReplTimeoutError: the time limit was reached.
            ReplOutOfMemoryError: the memory limit was reached.
            ReplDiedError: the process ended, or answered what is no reply.
            PoolClosedError: the pool was closed by force.
        """
        return await self._process.send(request, timeout_seconds=timeout_seconds, memory_bytes=memory_bytes)

    @property
    def _leased(self) -> _Member:
        if self._member is None:
            raise RuntimeError("this lease is over")
        return self._member

    @property
    def _process(self) -> AsyncLeanREPLProcess:
        process = self._leased.process
        assert process is not None  # noqa: S101 - none is leased before it has started
        return process

    def _end(self) -> None:
        self._member = None


@dataclass(frozen=True, kw_only=True)
class FrozenREPL:
    """A leased REPL as it was at one moment, with all that lived in it; `states` are valid in every copy."""

    image: Image
    states: dict[str, Handle] = field(repr=False)


class Lease:
    """The right to one REPL: `async with pool.lease(…) as repl`."""

    def __init__(
        self,
        pool: "AsyncLeanREPLPool",
        header: str,
        prefer: tuple[str, ...],
        frozen: "FrozenREPL | None" = None,
    ) -> None:
        self._pool = pool
        self._header = header
        self._prefer = prefer
        self._frozen = frozen
        self._member: _Member | None = None
        self._repl: WarmREPL | None = None

    async def __aenter__(self) -> WarmREPL:
        member = await self._pool._acquire(self._header, self._prefer)  # noqa: SLF001 - one unit
        if self._frozen is not None:
            member = await self._pool._replace(member, self._frozen)
        self._member = member
        self._repl = WarmREPL(self._member)
        return self._repl

    async def __aexit__(self, *_: object) -> None:
        member, repl = self._member, self._repl
        self._member = self._repl = None
        if member is not None and repl is not None:
            repl._end()  # noqa: SLF001 - one unit
            self._pool._release(member)  # noqa: SLF001 - one unit


class AsyncLeanREPLPool:
    """`size` REPLs that work at a time, and some spares. Use it as a context manager, in one event loop.

    The event loop's thread must live as long as the pool: REPLs die with the thread that started them.
    """

    def __init__(
        self,
        project: LeanProject,
        settings: PoolSettings | None = None,
        *,
        isolation: Isolation = no_isolation,
        images: ImageStock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Nothing is started before the pool is entered.

        Args:
            project: the Lean that is run.
            settings: sizes and limits.
            isolation: wraps every REPL.
            images: frozen REPLs, thawed where that is cheaper than a start; they are closed by whoever made them.
            rng: draws the jitter.

        Raises:
            SettingsError: the project's adapter is unknown.
        """
        self.project = project
        self.settings = settings if settings is not None else PoolSettings()
        self.size = self.settings.repls
        self._adapter = get_adapter(project.adapter)
        self._launch = Launch(
            command=project.command,
            directory=project.directory,
            data_limit_bytes=self.settings.data_limit_bytes,
        )
        self._isolation = isolation
        self._images = images
        if images is not None:
            self._launch = replace(self._launch, environment={**self._launch.environment, **criu.ENVIRONMENT})
        self._recycle_bytes = self.settings.recycle_memory_bytes or min(
            MOST_RECYCLE_BYTES, int(machine_bytes() * RECYCLE_SHARE / (self.size + self.settings.spares))
        )
        self._rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter is no secret
        self._guard = Guard()
        self._memory = GroupMemory()
        self._members: dict[int, _Member] = {}
        self._waiters: dict[int, _Waiter] = {}
        self._headers: LRU[str, None] = LRU(KNOWN_HEADERS)  # imported here, the last asked for at the end
        self._bad_headers: LRU[str, tuple[HeaderError | InvalidInputError, float]] = LRU(
            BAD_HEADERS
        )  # what is wrong with it, and until when that is believed
        self._failures: LRU[str, _Failures] = LRU(KNOWN_HEADERS)
        self._moulds: set[AsyncLeanREPLProcess] = set()  # REPLs that are only there to be frozen
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._returned = asyncio.Event()  # set whenever a lease has ended
        self._start_seconds = 1.0
        self._ids = 0
        self._clock = 0  # of uses
        self._state: Literal["new", "open", "closing", "closed"] = "new"
        self._starts = self._start_failures = self._leases = self._warm_hits = self._state_hits = 0
        self._ended: Counter[str] = Counter()

    def __repr__(self) -> str:
        counts = Counter(member.status for member in self._members.values())
        parts = [f"{counts[status]} {status}" for status in (Status.BUSY, Status.IDLE, Status.STARTING)]
        waiting = f"; {len(self._waiters)} waiting" if self._waiters else ""
        state = "" if self._state == "open" else f" ({self._state})"
        return f"<{type(self).__name__} of {self.size}: {', '.join(parts)}{waiting}{state}>"

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise RuntimeError("a pool is entered once")
        self._state = "open"
        self._headers[_normal(self.settings.header)] = None
        self._rebalance()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close(timeout_seconds=None if kind is None else 0.0)

    def lease(self, header: str = "", prefer: tuple[str, ...] = ()) -> Lease:
        """A REPL that has imported `header`, for the body of an `async with`.

        Args:
            header: imports, one a line, as `producer.header.split_header` gives them; empty: what Lean always imports.
            prefer: ids of states that it would be good to find in the REPL, the best one first.

        Entering raises:
            HeaderError: Lean cannot import the header.
            InvalidInputError: no REPL can be asked to.
            ReplStartError: REPLs with this header have failed to start for `start_patience_seconds`.
            ImportDiedError: they have, and ended while they imported it.
            PoolClosedError: the pool is not open.

        When the body ends, the REPL goes back at once. If a request was cancelled, its reply is waited for in the
        background for at most `cancel_grace_seconds`; until then the REPL counts as busy.
        """
        return Lease(self, _normal(header), prefer)

    async def freeze(self, repl: WarmREPL) -> FrozenREPL:
        """Freeze a leased REPL with all of its states; it goes on. Give what you get to `discard` in the end.

        Raises:
            ImageError: this pool has no images, a request is not answered, or CRIU failed.
        """
        images = self._required_images()
        if images.fencing is not None:
            raise ImageError("isolated REPLs cannot be frozen while they work (LEANFLEET_WORKER_ISOLATION)")
        member = repl._leased  # noqa: SLF001 - one unit
        states = dict(member.states)
        image = await images.freeze(
            repl._process,  # noqa: SLF001 - one unit
            member.header,
            member.environment,
            guard=self._guard,
        )
        return FrozenREPL(image=image, states=states)

    def thaw(self, frozen: FrozenREPL) -> Lease:
        """A copy of a frozen REPL, for the body of an `async with`; afterwards it is one of the pool like any other.

        It counts as one of the `size` that work at a time: who holds a lease while entering must not hold the last.

        Entering raises as a lease does, and:
            ImageError: it did not thaw.
        """
        return Lease(self, frozen.image.warm.header, (), frozen)

    @contextlib.asynccontextmanager
    async def beam(self, repl: WarmREPL) -> AsyncIterator[WarmREPL]:
        """Freeze and thaw in one step: a second REPL where `repl` is now, to go another way from here.

        Raises as `freeze` and `thaw` do; a pool of one REPL has no room for a second.
        """
        if self.size == 1:
            raise ImageError("a pool of one REPL has no room for its copy: set LEANFLEET_WORKER_SIZE to 2 or more")
        frozen = await self.freeze(repl)
        try:
            async with self.thaw(frozen) as copy:
                await asyncio.to_thread(self.discard, frozen)
                yield copy
        finally:
            self.discard(frozen)

    def discard(self, frozen: FrozenREPL) -> None:
        """Delete what was frozen. Copies that run do not need it. Blocks for a moment."""
        remove(frozen.image)

    async def ready(self) -> None:
        """Return once a REPL has come up with the header of the settings; raises as entering a lease does."""
        async with self.lease(self.settings.header):
            pass

    def idle_states(self) -> list[tuple[str, list[str]]]:
        """Of each REPL that nobody uses: its header, and the ids of the proof states that live in it."""
        idle = (member for member in self._members.values() if member.status is Status.IDLE)
        return [
            (member.header, [state_id for state_id, handle in member.states.items() if handle.kind == "proof_state"])
            for member in idle
        ]

    def snapshot(self) -> PoolSnapshot:
        """The pool at this moment, for metrics and for `leanfleet status`."""
        counts = Counter(member.status for member in self._members.values())
        images = self._images.counts if self._images is not None else Counts()
        now = time.monotonic()
        return PoolSnapshot(
            size=self.size,
            spares=self.settings.spares,
            busy=counts[Status.BUSY],
            idle=counts[Status.IDLE],
            starting=counts[Status.STARTING],
            waiting=len(self._waiters),
            repls=tuple(
                ReplStatus(
                    pid=member.process.pid if member.process is not None else None,
                    status=member.status,
                    header=member.header,
                    uses=member.uses,
                    age_seconds=now - member.created_at,
                    memory_bytes=member.memory_bytes,
                    states=len(member.states),
                )
                for member in self._members.values()
            ),
            starts=self._starts,
            start_failures=self._start_failures,
            leases=self._leases,
            warm_hits=self._warm_hits,
            state_hits=self._state_hits,
            thaws=images.thawed,
            thaw_failures=images.thaw_failures,
            images={
                "frozen": images.frozen,
                "freeze_failed": images.freeze_failures,
                "fetched": images.fetched,
                "refused": images.refused,
            },
            ended=dict(self._ended),
        )

    async def close(self, *, timeout_seconds: float | None = None) -> None:
        """Take no more work, wait for the leases to end, then end every REPL and wait until they are reaped.

        Args:
            timeout_seconds: how long leases may take; then their REPLs are killed, and their requests raise
                `PoolClosedError`. None: as in the settings; 0: at once.

        May be called again, also while it runs, with a shorter time. Cancelling it closes by force.
        """
        if self._state == "closed":
            return
        self._state = "closing"
        if timeout_seconds is None:
            timeout_seconds = self.settings.close_timeout_seconds
        self._stop_timer()
        if self._images is not None:
            self._images.stop()
        for waiter in self._waiters.values():
            if not waiter.future.done():
                waiter.future.set_exception(PoolClosedError("the pool is closing and takes no more work"))
        self._drop_all(member for member in self._members.values() if member.status is not Status.BUSY)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    while self._members:
                        self._returned.clear()
                        await self._returned.wait()
        finally:
            self._drop_all(self._members.values())
            for mould in tuple(self._moulds):
                mould.kill("its pool was closed")
            try:
                await self._reaped()
            finally:
                self._guard.close()
                self._state = "closed"

    def _drop_all(self, members: Iterable[_Member]) -> None:
        for member in tuple(members):
            self._drop(member, "closed")

    async def _reaped(self) -> None:
        """Return once everything that ran in the background has ended, reaping most of all."""
        try:
            async with asyncio.timeout(REAP_SECONDS):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            log.error("killed REPLs have not ended after %g s: the kernel holds on to them", REAP_SECONDS)  # noqa: TRY400

    # Acquiring and releasing. Nothing here waits but for a REPL to be granted.

    async def _acquire(self, header: str, prefer: tuple[str, ...]) -> _Member:
        if self._state != "open":
            raise PoolClosedError(f"the pool takes no work: it is {self._state}")
        self._refuse_bad(header)
        if header in self._headers:
            self._headers[header] = None  # asked for last
        if not self._waiters and self._busy < self.size:
            idle = [m.view for m in self._members.values() if m.status is Status.IDLE and m.due is None]
            if (chosen := choose(idle, header, prefer)) is not None:
                return self._grant(self._members[chosen.id], time.monotonic(), prefer)
        waiter = _Waiter(
            id=self._next_id(), header=header, prefer=prefer, future=asyncio.get_running_loop().create_future()
        )
        self._waiters[waiter.id] = waiter
        if self._matters(waiter) and not self._has_only_to_wait(header):
            self._rebalance()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                # Granted and cancelled at the same time: the REPL must go to the next one.
                self._release(waiter.future.result())
            raise
        finally:
            self._waiters.pop(waiter.id, None)

    async def _replace(self, leased: _Member, frozen: FrozenREPL) -> _Member:
        """Give back a lease for a copy of `frozen`, which takes over its right to work."""
        member = self._new_member(frozen.image.warm.header)
        try:
            await self._thaw_into(member, frozen.image)
            if self._state != "open" or member.id not in self._members:
                raise PoolClosedError("the pool was closed")  # noqa: TRY301 - below is what has to be done for it
        except BaseException:
            self._drop(member, "start")
            self._release(leased)
            raise
        member.states.update(frozen.states)
        member.ready_at = time.monotonic()
        self._clock += 1
        member.status, member.uses, member.last_used = Status.BUSY, 1, self._clock
        self._release(leased)
        return member

    def _grant(self, member: _Member, since: float, prefer: tuple[str, ...]) -> _Member:
        member.status = Status.BUSY
        member.uses += 1
        self._clock += 1
        member.last_used = self._clock
        self._leases += 1
        self._warm_hits += member.ready_at <= since
        self._state_hits += any(state in member.states for state in prefer)
        return member

    def _release(self, member: _Member) -> None:
        process = member.process
        self._returned.set()
        if member.id not in self._members or process is None:
            return  # ended by force while it was leased
        if self._state != "open":
            self._drop(member, "closed")
            return
        if not process.is_alive:
            self._drop(member, _cause(process.error))
        elif not process.is_settled:
            self._run(self._settle(member, process))
            return
        else:
            member.due = self._due(member, process)
            member.status = Status.IDLE
        if self._waiters or member.due is not None or len(self._members) != self.size + self.settings.spares:
            self._rebalance()

    async def _settle(self, member: _Member, process: AsyncLeanREPLProcess) -> None:
        if await process.settle(self.settings.cancel_grace_seconds):
            self._release(member)
        else:
            self._drop(member, "cancelled")
            self._returned.set()
            self._rebalance()

    def _due(self, member: _Member, process: AsyncLeanREPLProcess) -> Retirement | None:
        now = time.monotonic()
        if now - member.memory_checked_at >= MEMORY_CHECK_SECONDS:
            member.memory_checked_at = now
            member.memory_bytes = process.used_bytes
        if member.memory_bytes > self._recycle_bytes:
            return Retirement.MEMORY
        if member.uses >= member.most_uses:
            return Retirement.USES
        if now - member.created_at >= member.most_age_seconds:
            return Retirement.AGE
        return None

    def _refuse_bad(self, header: str) -> None:
        bad = self._bad_headers.peek(header)
        if bad is None:
            return
        error, until = bad
        if time.monotonic() < until:
            raise type(error)(error.message)
        del self._bad_headers[header]

    @property
    def _busy(self) -> int:
        return sum(member.status is Status.BUSY for member in self._members.values())

    # Decisions and what follows from them.

    def _rebalance(self) -> None:
        """Decide what is to be done now and do it, or have it done by tasks."""
        if self._state != "open":
            return
        now = time.monotonic()
        self._give_up(now)
        waiters = self._first_waiters()
        plan = assign(
            PoolView(
                size=self.size,
                spares=self.settings.spares,
                processes=tuple(member.view for member in self._members.values()),
                waiters=tuple(
                    WaiterView(id=w.id, header=w.header, prefer=w.prefer, waited_seconds=now - w.since) for w in waiters
                ),
                headers=self._known_headers(),
                held=frozenset(header for header, failed in self._failures.items() if failed.held_until > now),
                start_seconds=self._start_seconds,
            )
        )
        for number, reason in plan.retirements:
            self._drop(self._members[number], reason)
        for waiting, number in plan.grants:
            waiter = self._waiters[waiting]
            waiter.future.set_result(self._grant(self._members[number], waiter.since, waiter.prefer))
        for header in plan.starts:
            self._start(header)
        self._wake_at(now, waiters)

    def _first_waiters(self) -> list[_Waiter]:
        """Those who can matter to a plan, in order: no header is granted or started more than `size` times at once."""
        ahead: Counter[str] = Counter()
        first = []
        for waiter in self._waiters.values():
            if not waiter.future.done() and ahead[waiter.header] < self.size:
                ahead[waiter.header] += 1
                first.append(waiter)
        return first

    def _known_headers(self) -> tuple[str, ...]:
        """Headers that can be imported, by when they were asked for; forgotten ones that a REPL still has come last."""
        had = (member.header for member in self._members.values() if member.status is not Status.STARTING)
        return tuple(dict.fromkeys((*reversed(tuple(self._headers)), *had)))

    def _matters(self, new: _Waiter) -> bool:
        """Whether a waiter who has just come can change what is to be done; see `_first_waiters`."""
        alike = (w for w in self._waiters.values() if w.header == new.header and not w.future.done())
        return sum(1 for _ in alike) <= self.size

    def _has_only_to_wait(self, header: str) -> bool:
        """Whether nothing is to be done for who has just come, since a REPL with its header is at hand.

        As many as may are working then, none is to be started or ended, and the next that comes back makes a plan.
        """
        if self._busy < self.size or len(self._members) != self.size + self.settings.spares:
            return False
        return any(m.status is Status.IDLE and m.due is None and m.header == header for m in self._members.values())

    def _give_up(self, now: float) -> None:
        """Answer those who have waited long enough for a REPL that does not come up."""
        if not self._failures:
            return
        running = {member.header for member in self._members.values() if member.status is not Status.STARTING}
        for waiter in self._waiters.values():
            failed = self._failures.peek(waiter.header)
            if failed is None or waiter.header in running or waiter.future.done():
                continue
            if now - waiter.since < self.settings.start_patience_seconds:
                continue
            kind = ImportDiedError if isinstance(failed.error, ImportDiedError) else ReplStartError
            waiter.future.set_exception(
                kind(f"{failed.count} starts of a REPL failed in a row, the last because {failed.error.message}")
            )

    def _wake_at(self, now: float, waiters: list[_Waiter]) -> None:
        """Set the timer for the next moment at which time alone changes what is to be done."""
        self._stop_timer()
        moments = [failed.held_until for failed in self._failures.values()]
        for waiter in waiters:
            moments.append(waiter.since + self._start_seconds)
            moments.append(waiter.since + self.settings.start_patience_seconds)
        if (moment := min((m for m in moments if m > now), default=None)) is not None:
            self._timer = asyncio.get_running_loop().call_later(moment - now, self._rebalance)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, header: str) -> None:
        self._run(self._bring_up(self._new_member(header)))

    def _new_member(self, header: str) -> _Member:
        jitter = 1.0 - self._rng.uniform(0.0, RECYCLE_JITTER)
        member = _Member(
            id=self._next_id(),
            header=header,
            states=LRU(self.settings.states_per_repl),
            most_uses=self.settings.recycle_uses * jitter,
            most_age_seconds=self.settings.recycle_age_seconds * jitter,
        )
        self._members[member.id] = member
        return member

    async def _bring_up(self, member: _Member) -> None:
        if member.id not in self._members:
            return  # dropped before its turn came
        try:
            if not await self._thaw_warm(member):
                await self._start_cold(member, self._enclose(member))
        except (HeaderError, InvalidInputError) as error:
            self._header_failed(member, error)
        except ReplError as error:
            self._start_failed(member, error)
        except Exception as error:  # whoever waits for this header must hear of it, whatever it was
            log.exception("a bug: starting a REPL raised")
            self._start_failed(member, ReplStartError(f"{type(error).__name__}: {error}"))
        except BaseException:
            self._drop(member, "start")
            raise
        else:
            self._started(member)
        self._rebalance()

    async def _start_cold(self, member: _Member, launch: Launch) -> None:
        if member.id not in self._members:
            raise PoolClosedError("the REPL was given up before it was started")
        started = time.monotonic()
        process = member.process = AsyncLeanREPLProcess(
            launch,
            self._adapter,
            guard=self._guard,
            memory=self._memory,
            max_reply_bytes=self.settings.max_reply_bytes,
            stderr_tail_bytes=self.settings.stderr_tail_bytes,
            on_end=functools.partial(self._process_ended, member),
        )
        member.environment = await self._import(process, member.header)
        if self._images is not None and self._images.wants(member.header, time.monotonic() - started):
            if self._images.fencing is not None:
                self._run(self._freeze_another(member.header, self._images))
                return
            await self._images.make(process, member.header, member.environment, guard=self._guard)
            if process.error is not None:
                raise process.error

    async def make_image(self, header: str) -> Image:
        """Start a REPL for the only purpose of being frozen: isolated ones that work cannot be.

        Raises:
            ImageError: this pool has no images, or CRIU failed.
            HeaderError: Lean cannot import the header.
            ReplError: it did not start.
        """
        images = self._required_images()
        header = _normal(header)
        process: AsyncLeanREPLProcess | None = None
        with contextlib.ExitStack() as enclosure:
            try:
                isolation = no_isolation if images.fencing is None else images.fencing.to_freeze
                launch = enclosure.enter_context(isolation(self._launch))
                process = AsyncLeanREPLProcess(launch, self._adapter, guard=self._guard, memory=self._memory)
                self._moulds.add(process)
                return await images.freeze(
                    process,
                    header,
                    await self._import(process, header),
                    guard=self._guard,
                    fenced=None if images.fencing is None else launch,
                )
            except OSError as error:
                raise ImageError(f"a REPL cannot be isolated: {error}") from error
            finally:
                if process is not None:
                    self._moulds.discard(process)
                    await process.close()

    def _required_images(self) -> ImageStock:
        if self._images is None:
            raise ImageError(
                "this pool has no images (LEANFLEET_WORKER_IMAGES; `leanfleet doctor` says what they need)"
            )
        return self._images

    async def _freeze_another(self, header: str, images: ImageStock) -> None:
        try:
            image = await self.make_image(header)
        except LeanFleetError as error:
            images.gave_up(header, error)
        else:
            images.keep(image)

    async def _thaw_warm(self, member: _Member) -> bool:
        """Bring a member up from an image; False where it is to be started, since there is none or it failed."""
        if self._images is None or (image := await self._images.find(member.header)) is None:
            return False
        started = time.monotonic()
        try:
            await self._thaw_into(member, image)
        except ImageError as error:
            if member.id in self._members:
                await self._images.failed(image, error, started_at=started)
            return False
        self._images.thawed(image, time.monotonic() - started)
        return True

    async def _thaw_into(self, member: _Member, image: Image) -> None:
        if self._images is None or member.id not in self._members:
            raise ImageError("the REPL was given up before it was thawed")

        def started(process: AsyncLeanREPLProcess) -> None:
            member.process = process

        try:
            launch = member.enclosure.enter_context(self._images.launch(image, self._launch))
        except OSError as error:
            raise ImageError(f"a copy cannot be isolated: {error}") from error
        member.folder = launch.folder
        await thaw(
            image,
            launch,
            self._adapter,
            guard=self._guard,
            memory=self._memory,
            max_reply_bytes=self.settings.max_reply_bytes,
            stderr_tail_bytes=self.settings.stderr_tail_bytes,
            on_end=functools.partial(self._process_ended, member),
            started=started,
        )
        member.environment = image.warm.environment

    def _enclose(self, member: _Member) -> Launch:
        try:
            launch = member.enclosure.enter_context(self._isolation(self._launch))
        except OSError as error:
            raise ReplStartError(f"a REPL cannot be isolated: {error}") from error
        member.folder = launch.folder
        return launch

    async def _import(self, process: AsyncLeanREPLProcess, header: str) -> int | None:
        request = self._adapter.import_header(header)
        if request is None:
            return None
        try:
            response = await process.send(request, timeout_seconds=self.settings.start_timeout_seconds)
        except PoolClosedError:
            raise
        except ReplError as error:
            if header == _normal(self.settings.header):
                raise  # what all operations here rely on: this machine's trouble, and no operation's
            raise ImportDiedError(f"its imports ended it: {error.message}") from error
        if isinstance(response, ErrorResponse):
            raise HeaderError(response.message)
        if response.errors:
            raise HeaderError("\n".join(message.data for message in response.errors))
        return response.environment

    def _started(self, member: _Member) -> None:
        if member.id not in self._members:
            return
        now = time.monotonic()
        member.ready_at = now
        member.status = Status.IDLE
        self._starts += 1
        self._start_seconds += 0.3 * (now - member.created_at - self._start_seconds)
        self._failures.pop(member.header, None)
        self._bad_headers.pop(member.header, None)
        if member.header not in self._headers:
            self._headers[member.header] = None

    def _header_failed(self, member: _Member, error: HeaderError | InvalidInputError) -> None:
        self._drop(member, "header_failed")
        if self._state != "open":
            return
        configured = member.header == _normal(self.settings.header)
        log.log(logging.ERROR if configured else logging.INFO, "a header cannot be imported: %s", error)
        self._bad_headers[member.header] = (error, time.monotonic() + BAD_HEADER_SECONDS)
        self._headers.pop(member.header, None)
        for waiter in self._waiters.values():
            if waiter.header == member.header and not waiter.future.done():
                waiter.future.set_exception(type(error)(error.message))

    def _start_failed(self, member: _Member, error: ReplError) -> None:
        if member.id not in self._members:
            return  # it was dropped, and the error is how it learnt of that
        self._drop(member, "start")
        self._start_failures += 1
        failed = self._failures.setdefault(member.header, _Failures(error=error))
        failed.error = error
        failed.count += 1
        delay = backoff_seconds(
            failed.count,
            first_seconds=self.settings.backoff_first_seconds,
            most_seconds=self.settings.backoff_most_seconds,
            rng=self._rng,
        )
        failed.held_until = time.monotonic() + delay
        log.warning("a REPL did not start (%d in a row, the next try in %.1f s): %s", failed.count, delay, error)

    def _process_ended(self, member: _Member) -> None:
        """A process is dead. Who uses it has been told and gives it back; one that nobody uses is replaced now."""
        if member.status is not Status.IDLE or member.id not in self._members:
            return
        if member.uses == 0 and member.process is not None and member.process.error is not None:
            self._start_failed(member, member.process.error)  # else one that dies at once is started without a pause
        else:
            self._drop(member, "died")
        self._rebalance()

    def _drop(self, member: _Member, reason: str) -> None:
        """Take a member out, kill its process and have it reaped."""
        if self._members.pop(member.id, None) is None:
            return
        self._ended[str(reason)] += 1
        if member.process is not None:
            log.info("REPL %d ends: %s (%d uses)", member.process.pid, reason, member.uses)
            member.process.kill("its pool was closed" if reason == "closed" else str(reason))
        self._run(self._reap(member))

    async def _reap(self, member: _Member) -> None:
        if member.process is not None:
            await member.process.wait_closed()
        if self._isolation is not no_isolation or self._images is not None:
            await asyncio.to_thread(member.enclosure.close)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        """Run something in the background; it is held, and `close` waits for it."""
        # In a context of its own: what the pool does for itself is not logged as part of whichever operation led to it.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the pool failed", exc_info=error)

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids


@functools.lru_cache(maxsize=KNOWN_HEADERS)
def _normal(header: str) -> str:
    """Imports one a line: headers that say the same share their REPLs."""
    return "\n".join(line for part in header.replace(";", "\n").splitlines() if (line := " ".join(part.split())))


def _cause(error: ReplError | None) -> str:
    match error:
        case ReplTimeoutError():
            return "timeout"
        case ReplOutOfMemoryError():
            return "out_of_memory"
        case _:
            return "died"
