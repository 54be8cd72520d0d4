"""The pool itself: what `assignment` decides is carried out here.

Whatever takes time (starting, importing, waiting for a cancelled request's reply, reaping) runs in tasks that the pool
holds and awaits when it is closed; granting and taking back never wait, so that no cancellation can fall between a REPL
and the one who has it.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Literal, Self

from producer.errors import (
    HeaderError,
    InvalidInputError,
    PoolClosedError,
    ReplError,
    ReplOutOfMemoryError,
    ReplStartError,
    ReplTimeoutError,
)
from workers.guard import Guard
from workers.images.errors import ImageError
from workers.images.freezing import remove
from workers.images.image import Image
from workers.images.stock import ImageStock
from workers.launch import Isolation, no_isolation
from workers.pool.assignment import PoolView, Status, assign, choose
from workers.pool.background import Background
from workers.pool.headers import Headers, normal
from workers.pool.lease import FrozenREPL, Lease, WarmREPL
from workers.pool.member import Member
from workers.pool.roster import Roster
from workers.pool.snapshot import Counts, PoolSnapshot
from workers.pool.starter import Starter
from workers.pool.waiters import Waiter, Waiters
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject
from workers.settings import PoolSettings

# A killed process ends in milliseconds, unless it hangs in the kernel: on a dead network file system, say.
REAP_SECONDS = 30.0
# For a branch's turn, where nobody says how long.
BEAM_SECONDS = 30.0
# How much the last start weighs in what a start is expected to take.
_WEIGHT = 0.3

log = logging.getLogger("leanfleet.pool")


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
        rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter is no secret
        self._guard = Guard()
        self._background = Background()
        self._starter = Starter(
            project,
            self.settings,
            guard=self._guard,
            isolation=isolation,
            images=images,
            background=self._background,
            on_end=self._process_ended,
        )
        self._members = Roster(self.settings, rng)
        self._headers = Headers(
            first_seconds=self.settings.backoff_first_seconds, most_seconds=self.settings.backoff_most_seconds, rng=rng
        )
        self._waiters = Waiters(self.size)
        self._counts = Counts()
        self._start_seconds = 1.0
        self._timer: asyncio.TimerHandle | None = None
        self._returned = asyncio.Event()  # set whenever a lease has ended
        self._state: Literal["new", "open", "closing", "closed"] = "new"

    def __repr__(self) -> str:
        counts = Counter(member.status for member in self._members)
        parts = [f"{counts[status]} {status}" for status in (Status.BUSY, Status.IDLE, Status.STARTING)]
        waiting = f"; {len(self._waiters)} waiting" if self._waiters else ""
        state = "" if self._state == "open" else f" ({self._state})"
        return f"<{type(self).__name__} of {self.size}: {', '.join(parts)}{waiting}{state}>"

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise RuntimeError("a pool is entered once")
        self._state = "open"
        self._headers.can_be_imported(normal(self.settings.header))  # until the opposite is seen
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
        return Lease(lambda: self._acquire(normal(header), prefer), self._release)

    async def freeze(self, repl: WarmREPL) -> FrozenREPL:
        """Freeze a leased REPL with all of its states; it goes on. Give what you get to `discard` in the end.

        Raises:
            ImageError: this pool has no images, a request is not answered, or CRIU failed.
        """
        states = dict(repl.member.states)
        return FrozenREPL(image=await self._starter.freeze(repl.member), states=states)

    def thaw(self, frozen: FrozenREPL, *, timeout_seconds: float | None = None) -> Lease:
        """A copy of a frozen REPL, for the body of an `async with`; afterwards it is one of the pool like any other.

        It counts as one of the `size` that work at a time: who holds a lease while entering must not hold the last.

        Args:
            frozen: what `freeze` gave.
            timeout_seconds: how long entering waits for its turn; None: as long as it takes.

        Entering raises as a lease does, and:
            ImageError: it did not thaw, or its turn did not come.
        """
        return Lease(lambda: self._acquire_copy(frozen, timeout_seconds), self._release)

    @contextlib.asynccontextmanager
    async def beam(self, repl: WarmREPL, *, timeout_seconds: float | None = BEAM_SECONDS) -> AsyncIterator[WarmREPL]:
        """Freeze and thaw in one step: a second REPL where `repl` is now, to go another way from here.

        `timeout_seconds` is how long it waits for its turn: where all REPLs are held by who waits for one, none comes.

        Raises as `freeze` and `thaw` do; a pool of one REPL has no room for a second.
        """
        if self.size == 1:
            raise ImageError("a pool of one REPL has no room for its copy: set LEANFLEET_WORKER_SIZE to 2 or more")
        frozen = await self.freeze(repl)
        try:
            async with self.thaw(frozen, timeout_seconds=timeout_seconds) as copy:
                await asyncio.to_thread(self.discard, frozen)
                yield copy
        finally:
            self.discard(frozen)

    def discard(self, frozen: FrozenREPL) -> None:
        """Delete what was frozen. Copies that run do not need it. Blocks for a moment."""
        remove(frozen.image)

    async def make_image(self, header: str) -> Image:
        """Start a REPL for the only purpose of being frozen: isolated ones that work cannot be.

        Raises:
            ImageError: this pool has no images, or CRIU failed.
            HeaderError: Lean cannot import the header.
            ReplError: it did not start.
        """
        return await self._starter.make_image(normal(header))

    async def ready(self) -> None:
        """Return once a REPL has come up with the header of the settings; raises as entering a lease does."""
        async with self.lease(self.settings.header):
            pass

    def idle_states(self) -> list[tuple[str, list[str]]]:
        """Of each REPL that nobody uses: its header, and the ids of the proof states that live in it."""
        idle = (member for member in self._members if member.status is Status.IDLE)
        return [
            (member.header, [state_id for state_id, handle in member.states.items() if handle.kind == "proof_state"])
            for member in idle
        ]

    def snapshot(self) -> PoolSnapshot:
        """The pool at this moment, for metrics and for `leanfleet status`."""
        return PoolSnapshot.of(
            self._members,
            size=self.size,
            spares=self.settings.spares,
            waiting=len(self._waiters),
            counts=self._counts,
            images=self._starter.image_counts,
            now=time.monotonic(),
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
        self._starter.stop()
        self._waiters.refuse(PoolClosedError("the pool is closing and takes no more work"))
        self._drop_all(member for member in self._members if member.status is not Status.BUSY)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    while self._members:
                        self._returned.clear()
                        await self._returned.wait()
        finally:
            self._drop_all(self._members)
            self._returned.set()  # whoever closes it more patiently need not wait for those leases
            try:
                await self._reaped()
            finally:
                self._guard.close()
                self._state = "closed"

    def _drop_all(self, members: Iterable[Member]) -> None:
        for member in tuple(members):
            self._drop(member, "closed")

    async def _reaped(self) -> None:
        """Return once everything that ran in the background has ended, reaping most of all."""
        try:
            async with asyncio.timeout(REAP_SECONDS):
                await self._background.wait()
        except TimeoutError:
            log.error("killed REPLs have not ended after %g s: the kernel holds on to them", REAP_SECONDS)  # noqa: TRY400

    # Acquiring and releasing. Nothing here waits but for a REPL to be granted, or for a copy to come up.

    async def _acquire(self, header: str, prefer: tuple[str, ...]) -> Member:
        if self._state != "open":
            raise PoolClosedError(f"the pool takes no work: it is {self._state}")
        self._headers.ask_for(header, time.monotonic())
        if not self._waiters and self._members.busy < self.size:
            staying = (member.view for member in self._members.staying())
            if (chosen := choose(staying, header, prefer)) is not None:
                return self._grant(self._members[chosen.id], time.monotonic(), prefer)
        waiter = self._waiters.join(header, prefer)
        if self._waiters.matters(waiter) and not self._has_only_to_wait(header):
            self._rebalance()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                # Granted and cancelled at the same time: the REPL must go to the next one.
                self._release(waiter.future.result())
            raise
        finally:
            self._waiters.leave(waiter)

    async def _acquire_copy(self, frozen: FrozenREPL, timeout_seconds: float | None) -> Member:
        """Give back a lease for a copy of `frozen`, which takes over its right to work."""
        header = frozen.image.warm.header
        try:
            async with asyncio.timeout(timeout_seconds):
                leased = await self._acquire(header, ())
        except TimeoutError as error:
            raise ImageError(
                f"none of the pool's {self.size} REPLs became free for a copy within {timeout_seconds:g} s: "
                "hold fewer leases while you ask for one, or set LEANFLEET_WORKER_SIZE higher"
            ) from error
        member = self._members.add(header)
        try:
            await self._starter.copy(frozen.image, member)
            if self._state != "open" or member.is_dropped:
                raise PoolClosedError("the pool was closed")  # noqa: TRY301 - below is what has to be done for it
        except BaseException:
            self._drop(member, "start")
            self._release(leased)
            raise
        member.states.update(frozen.states)
        member.ready_at = time.monotonic()
        self._members.use(member)
        self._release(leased)
        return member

    def _grant(self, member: Member, since: float, prefer: tuple[str, ...]) -> Member:
        self._members.use(member)
        self._counts.leases += 1
        self._counts.warm_hits += member.ready_at <= since
        self._counts.state_hits += any(state in member.states for state in prefer)
        return member

    def _release(self, member: Member) -> None:
        process = member.process
        self._returned.set()
        if member.is_dropped or process is None:
            return  # ended by force while it was leased
        if self._state != "open":
            self._drop(member, "closed")
            return
        if not process.is_alive:
            self._drop(member, _cause(process.error))
        elif not process.is_settled:
            self._background.run(self._settle(member, process))
            return
        else:
            member.look()
            member.status = Status.IDLE
        if self._waiters or member.due is not None or len(self._members) != self._members.capacity:
            self._rebalance()

    async def _settle(self, member: Member, process: AsyncLeanREPLProcess) -> None:
        if await process.settle(self.settings.cancel_grace_seconds):
            self._release(member)
        else:
            self._drop(member, "cancelled")
            self._returned.set()
            self._rebalance()

    def _has_only_to_wait(self, header: str) -> bool:
        """Whether nothing is to be done for who has just come, since a REPL with its header is at hand.

        As many as may are working then, none is to be started or ended, and the next that comes back makes a plan.
        """
        if self._members.busy < self.size or len(self._members) != self._members.capacity:
            return False
        return any(member.header == header for member in self._members.staying())

    # Decisions and what follows from them.

    def _rebalance(self) -> None:
        """Decide what is to be done now and do it, or have it done by tasks."""
        if self._state != "open":
            return
        now = time.monotonic()
        self._give_up(now)
        waiters = self._waiters.first()
        plan = assign(self._view(waiters, now))
        for number, reason in plan.retirements:
            self._drop(self._members[number], reason)
        for waiting, number in plan.grants:
            waiter = self._waiters[waiting]
            waiter.future.set_result(self._grant(self._members[number], waiter.since, waiter.prefer))
        for header in plan.starts:
            self._background.run(self._bring_up(self._members.add(header)))
        self._wake_at(now, waiters)

    def _view(self, waiters: Iterable[Waiter], now: float) -> PoolView:
        return PoolView(
            size=self.size,
            spares=self.settings.spares,
            processes=tuple(member.view for member in self._members),
            waiters=tuple(waiter.view(now) for waiter in waiters),
            headers=self._headers.known(self._members.headers()),
            held=self._headers.held(now),
            start_seconds=self._start_seconds,
        )

    def _give_up(self, now: float) -> None:
        """Answer those who have waited long enough for a REPL that does not come up."""
        if not self._headers.are_failing:
            return
        running = self._members.headers()
        for waiter in self._waiters.unanswered():
            failed = self._headers.failures(waiter.header)
            if failed is None or waiter.header in running:
                continue
            if now - waiter.since >= self.settings.start_patience_seconds:
                waiter.future.set_exception(failed.summary())

    def _wake_at(self, now: float, waiters: Iterable[Waiter]) -> None:
        """Set the timer for the next moment at which time alone changes what is to be done."""
        self._stop_timer()
        moments = list(self._headers.held_until())
        for waiter in waiters:
            moments.append(waiter.since + self._start_seconds)
            moments.append(waiter.since + self.settings.start_patience_seconds)
        if (moment := min((m for m in moments if m > now), default=None)) is not None:
            self._timer = asyncio.get_running_loop().call_later(moment - now, self._rebalance)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Members, from the first to the last.

    async def _bring_up(self, member: Member) -> None:
        if member.is_dropped:
            return  # before its turn came
        try:
            await self._starter.bring_up(member)
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

    def _started(self, member: Member) -> None:
        if member.is_dropped:
            return
        now = time.monotonic()
        member.ready_at = now
        member.status = Status.IDLE
        self._counts.starts += 1
        self._start_seconds += _WEIGHT * (now - member.created_at - self._start_seconds)
        self._headers.can_be_imported(member.header)

    def _header_failed(self, member: Member, error: HeaderError | InvalidInputError) -> None:
        self._drop(member, "header_failed")
        if self._state != "open":
            return
        configured = member.header == normal(self.settings.header)
        log.log(logging.ERROR if configured else logging.INFO, "a header cannot be imported: %s", error)
        self._headers.cannot_be_imported(member.header, error, time.monotonic())
        self._waiters.refuse(error, member.header)

    def _start_failed(self, member: Member, error: ReplError) -> None:
        if member.is_dropped:
            return  # and the error is how it learnt of that
        self._drop(member, "start")
        self._counts.start_failures += 1
        count, delay = self._headers.start_failed(member.header, error, time.monotonic())
        log.warning("a REPL did not start (%d in a row, the next try in %.1f s): %s", count, delay, error)

    def _process_ended(self, member: Member) -> None:
        """A process is dead. Who uses it has been told and gives it back; one that nobody uses is replaced now."""
        if member.status is not Status.IDLE or member.is_dropped:
            return
        if member.uses == 0 and member.process is not None and member.process.error is not None:
            self._start_failed(member, member.process.error)  # else one that dies at once is started without a pause
        else:
            self._drop(member, "died")
        self._rebalance()

    def _drop(self, member: Member, reason: str) -> None:
        """Take a member out, kill its process and have it reaped."""
        if not self._members.drop(member):
            return
        self._counts.ended[str(reason)] += 1
        if member.process is not None:
            log.info("REPL %d ends: %s (%d uses)", member.process.pid, reason, member.uses)
            member.process.kill("its pool was closed" if reason == "closed" else str(reason))
        self._background.run(self._starter.reap(member))


def _cause(error: ReplError | None) -> str:
    match error:
        case ReplTimeoutError():
            return "timeout"
        case ReplOutOfMemoryError():
            return "out_of_memory"
        case _:
            return "died"
