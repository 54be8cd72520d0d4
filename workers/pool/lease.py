"""What the users of a pool hold: the right to one REPL, and the REPL for as long as they have it."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from workers.images.image import Image
from workers.pool.member import Handle, Member
from workers.protocol.requests import Request
from workers.protocol.responses import ErrorResponse, Response

R = TypeVar("R", bound=Response)


class WarmREPL:
    """A REPL for the time of a lease: its header is imported, and `states` says what else lives in it."""

    def __init__(self, member: Member) -> None:
        self._member: Member | None = member

    def __repr__(self) -> str:
        return f"<WarmREPL {self._member.process!r}>" if self._member is not None else "<WarmREPL, lease over>"

    @property
    def environment(self) -> int | None:
        """The number of the environment in which the header is imported; None where a REPL has imports at its start."""
        return self.member.environment

    @property
    def header(self) -> str:
        return self.member.header

    @property
    def states(self) -> MutableMapping[str, Handle]:
        """What lives in this process, by `StateRef.id`; bounded, the least recently used is forgotten first."""
        return self.member.states

    @property
    def folder(self) -> Path | None:
        """Where it and the worker can exchange files; None where it reaches every path."""
        return self.member.folder

    @property
    def pid(self) -> int:
        return self.member.running.pid

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
        return await self.member.running.send(request, timeout_seconds=timeout_seconds, memory_bytes=memory_bytes)

    @property
    def member(self) -> Member:
        """Its place in the pool, for the pool itself. Raises RuntimeError when the lease is over."""
        if self._member is None:
            raise RuntimeError("this lease is over")
        return self._member

    def end(self) -> None:
        """The lease is over: whoever still holds on to this object can do no harm with it."""
        self._member = None


@dataclass(frozen=True, kw_only=True)
class FrozenREPL:
    """A leased REPL as it was at one moment, with all that lived in it; `states` are valid in every copy."""

    image: Image
    states: dict[str, Handle] = field(repr=False)


class Lease:
    """The right to one REPL: `async with pool.lease(…) as repl`."""

    def __init__(self, acquire: Callable[[], Awaitable[Member]], release: Callable[[Member], None]) -> None:
        """`acquire` waits for one that nobody else has; `release` takes it back and never waits."""
        self._acquire = acquire
        self._release = release
        self._repl: WarmREPL | None = None

    async def __aenter__(self) -> WarmREPL:
        self._repl = WarmREPL(await self._acquire())
        return self._repl

    async def __aexit__(self, *_: object) -> None:
        repl, self._repl = self._repl, None
        if repl is not None:
            member = repl.member
            repl.end()
            self._release(member)
