"""One REPL process: one request at a time, each with its limits, and never an answer that belongs to another request.

The protocol has no request numbers, so a reply can only be known by its turn. Whatever makes the turn doubtful (a
missed deadline, output that nobody asked for, a reply that cannot be read) therefore ends the process.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from typing import Self, TypeVar

from producer.errors import (
    PoolClosedError,
    ReplDiedError,
    ReplError,
    ReplOutOfMemoryError,
    ReplStartError,
    ReplTimeoutError,
)
from workers.child import Child
from workers.framing import ReplyTooLargeError
from workers.guard import Guard
from workers.isolation.enclosure import folder_bytes
from workers.launch import Launch
from workers.memory import GroupMemory
from workers.protocol.adapter import Adapter, UnreadableReplyError
from workers.protocol.requests import Request
from workers.protocol.responses import ErrorResponse, Response

R = TypeVar("R", bound=Response)

MAX_REPLY_BYTES = 64 * 1024**2
STDERR_TAIL_BYTES = 8 * 1024
# A request that is faster is never looked at; 60 busy REPLs cost a few percent of a core.
MEMORY_POLL_SECONDS = 0.05
# How much longer than it took its files are not looked at again.
_FOLDER_PAUSE = 20
# From the end of its output to its exit; only a process that closed its output and lives on needs as long.
EXIT_GRACE_SECONDS = 1.0

_SIGNALLED = 128

# What Lean says before it exits because an allocation failed, as it does under a limit of the kernel's.
_OUT_OF_MEMORY = "INTERNAL PANIC: out of memory"

log = logging.getLogger("leanfleet.repl")


class AsyncLeanREPLProcess:
    """A running REPL. Made by `start`; after any `ReplError` it is dead, and only `wait_closed` is left to do.

    Cancelling `send` leaves a reply outstanding: `settle` waits a little for it, so that the process may be used again.
    """

    def __init__(
        self,
        launch: Launch,
        adapter: Adapter,
        *,
        guard: Guard | None = None,
        memory: GroupMemory | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        stderr_tail_bytes: int = STDERR_TAIL_BYTES,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Start it, without waiting for anything.

        Args:
            launch: what is run.
            adapter: the protocol that it speaks.
            guard: ends its whole process group should this process be killed; without one only the REPL itself is.
            memory: shared by all processes of a pool.
            max_reply_bytes: a longer reply ends the process.
            stderr_tail_bytes: how much of its standard error is kept for `ReplDiedError`.
            on_end: called once in the event loop when the process has ended, for whatever reason.

        Raises:
            ReplStartError: the system cannot start it. A command that does not exist is known only later, when the
                process ends: the first `send` then raises `ReplDiedError`.
        """
        self._loop = asyncio.get_running_loop()
        self._adapter = adapter
        self._memory = memory if memory is not None else GroupMemory()
        self._framer = adapter.framer(max_reply_bytes)
        self._on_end = on_end
        self._folder = launch.folder if launch.folder_limit_bytes else None
        self._folder_limit_bytes = launch.folder_limit_bytes
        self._folder_due = 0.0
        self._reply: asyncio.Future[bytes] | None = None  # of the request that was sent last, until it is answered
        self._quiet: asyncio.Future[None] | None = None  # `settle` waits for it
        self._error: ReplError | None = None  # why it ended
        self._deadline = 0.0
        self._timeout_seconds = 0.0
        self._memory_bytes: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.started_at = time.monotonic()
        try:
            self._child = Child(
                launch,
                guard=guard,
                on_output=self._take,
                on_exit=self._ended,
                stderr_bytes=stderr_tail_bytes,
            )
        except OSError as error:
            raise ReplStartError(f"cannot start {launch.command[0]}: {error}") from error

    def __repr__(self) -> str:
        state = "busy" if self._reply is not None else "idle"
        return f"<{type(self).__name__} pid {self.pid} {state if self.is_alive else 'dead'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int:
        """Of the process group's leader, and of the group."""
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be sent to: it has not ended, and is not being killed."""
        return self._error is None and not self._child.has_exited

    @property
    def is_settled(self) -> bool:
        """Whether no reply is outstanding."""
        return self._reply is None

    @property
    def error(self) -> ReplError | None:
        """Why it ended, or is ending."""
        return self._error

    @property
    def leader(self) -> int:
        """The pid of the REPL itself, which for one that was thawed is another than `pid`."""
        return self._child.leader

    @property
    def pipes(self) -> tuple[str, str, str]:
        """What the kernel calls its three pipes; only while it is alive."""
        return self._child.pipes

    @property
    def stderr_tail(self) -> str:
        return self._child.stderr_tail

    @property
    def used_bytes(self) -> int:
        """What its process group holds in memory now."""
        return self._memory.used_bytes(self._child.leader)

    async def send(
        self, request: Request[R], *, timeout_seconds: float, memory_bytes: int | None = None
    ) -> R | ErrorResponse:
        """Send one request and return its reply.

        Args:
            request: what is asked.
            timeout_seconds: until the reply must be there; then the process group is killed.
            memory_bytes: what the process group may hold in memory; above it, it is killed. Looked at while the request
                runs, every `MEMORY_POLL_SECONDS`. None: no limit.

        Raises:
            ReplTimeoutError: the time limit was reached.
            ReplOutOfMemoryError: the memory limit was reached, or that of its folder on disk.
            ReplDiedError: the process ended, is dead already, or answered what is no reply.
        """
        if self._error is not None:
            raise type(self._error)(self._error.message)
        if self._reply is not None:
            raise RuntimeError("a REPL takes one request at a time, and one is not answered yet")
        frame = self._adapter.encode(request)
        reply: asyncio.Future[bytes] = self._loop.create_future()
        self._reply = reply
        now = self._loop.time()
        self._timeout_seconds = timeout_seconds
        self._deadline = now + timeout_seconds
        self._memory_bytes = memory_bytes
        self._timer = self._loop.call_at(min(self._deadline, now + MEMORY_POLL_SECONDS), self._watch)
        self._child.write(frame)
        # Cancelled here: the reply stays outstanding and the watch goes on, so that the limits hold for `settle` too.
        data = await reply
        try:
            return self._adapter.decode(request, data)
        except UnreadableReplyError as error:
            raise self._fail(ReplDiedError(self._with_tail(f"its reply could not be read ({error})"))) from error

    async def settle(self, grace_seconds: float) -> bool:
        """After a cancelled `send`: wait for the reply that is outstanding, and drop it.

        Returns whether the process can be used again. If the reply has not come in time, it is killed.
        """
        if self._reply is not None and self.is_alive:
            self._deadline = min(self._deadline, self._loop.time() + grace_seconds)  # `_watch` enforces it
            self._quiet = self._loop.create_future()
            try:
                await self._quiet
            except asyncio.CancelledError:
                self.kill("nobody waits any more for the reply that is outstanding")
                raise
            finally:
                self._quiet = None
        return self.is_alive

    def kill(self, reason: str) -> None:
        """Kill its process group now. An unanswered request raises `PoolClosedError` with `reason`. Idempotent."""
        self._fail(PoolClosedError(f"the REPL process was ended: {reason}"))

    async def close(self) -> None:
        """Kill it and wait until it is reaped. A REPL keeps nothing that a slower end could save."""
        self.kill("it was closed")
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Return once the process has ended and is reaped: no zombie is left."""
        await self._child.wait()

    def _watch(self) -> None:
        """Enforce the limits of the request that is running; one timer does for both."""
        now = self._loop.time()
        if now >= self._deadline:
            self._fail(ReplTimeoutError(f"no answer within {round(self._timeout_seconds, 3):g} s; the REPL was killed"))
            return
        if self._memory_bytes is not None and (used := self.used_bytes) > self._memory_bytes:
            self._fail(
                ReplOutOfMemoryError(
                    f"the REPL held {used:,} bytes in memory and the limit is {self._memory_bytes:,}; it was killed"
                )
            )
            return
        if self._folder is not None and now >= self._folder_due:
            limit = self._folder_limit_bytes
            if folder_bytes(self._folder, enough=limit) > limit:
                self._fail(
                    ReplOutOfMemoryError(
                        f"the REPL's files held more than {limit:,} bytes, each counted as 64 KiB at least, "
                        "and that is the limit; it was killed"
                    )
                )
                return
            self._folder_due = now + _FOLDER_PAUSE * (self._loop.time() - now)
        self._timer = self._loop.call_at(min(self._deadline, now + MEMORY_POLL_SECONDS), self._watch)

    def _take(self, data: bytes) -> None:
        """Output came; none at all means that there will be no more."""
        if self._error is not None:
            return
        if not data:
            # It is about to exit, nearly always, and its status says more than this does.
            self._loop.call_later(EXIT_GRACE_SECONDS, self._fail_mute)
            return
        try:
            frames = self._framer.feed(data)
        except ReplyTooLargeError as error:
            self._fail(ReplDiedError(self._with_tail(f"its reply was too large: {error}")))
            return
        for frame in frames:
            if self._reply is None:
                self._fail(ReplDiedError(self._with_tail(f"it said what nobody asked for: {_shown(frame)}")))
                return
            self._answered(frame)

    def _answered(self, frame: bytes) -> None:
        reply, self._reply = self._reply, None
        self._stop_watching()
        if reply is not None and not reply.done():
            reply.set_result(frame)
        elif self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, error: ReplError) -> ReplError:
        """End the process with `error` as the reason, unless it has ended before; returns the reason that holds."""
        if self._error is None:
            self._error = error
            self._child.kill()
            self._stop_watching()
            self._release(error)
        return self._error

    def _fail_mute(self) -> None:
        if not self._child.has_exited:
            self._fail(ReplDiedError(self._with_tail("it closed its output without ending")))

    def _release(self, error: ReplError) -> None:
        """Wake whoever waits for this process."""
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_exception(error)
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    def _ended(self, returncode: int) -> None:
        if self._error is None:
            text = self._with_tail(_how(returncode))
            died = ReplOutOfMemoryError if _OUT_OF_MEMORY in self.stderr_tail else ReplDiedError
            self._error = died(text)
            self._stop_watching()
            self._release(self._error)
        log.debug("REPL process %d ended: %s", self.pid, self._error)
        if self._on_end is not None:
            self._on_end()

    def _with_tail(self, text: str) -> str:
        tail = self.stderr_tail
        return f"{text}; its standard error ends with:\n{tail}" if tail else f"{text}; it wrote nothing to its stderr"


def _how(returncode: int) -> str:
    if _SIGNALLED < returncode <= _SIGNALLED + 64:  # what bubblewrap and shells say of a child that died of a signal
        returncode = _SIGNALLED - returncode
    if returncode >= 0:
        return f"the REPL exited with status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    hint = " by another than us, most likely the kernel for want of memory" if name == "SIGKILL" else ""
    return f"the REPL was killed by {name}{hint}"


def _shown(frame: bytes, width: int = 200) -> str:
    text = frame[:width].decode(errors="replace")
    return repr(text if len(frame) <= width else text + "…")
