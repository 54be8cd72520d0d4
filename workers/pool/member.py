"""One place in the pool: a process, from before it starts until it is reaped."""

import contextlib
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from workers.lru import LRU
from workers.pool.assignment import ProcessView, Retirement, Status
from workers.pool.lifespan import Lifespan
from workers.process import AsyncLeanREPLProcess

# A REPL's memory is looked at when it comes back, at most this often.
MEMORY_CHECK_SECONDS = 1.0


class Handle(NamedTuple):
    """What a REPL calls a state that lives in it."""

    kind: Literal["environment", "proof_state"]
    number: int


@dataclass(eq=False, kw_only=True)
class Member:
    """Moments are monotonic. `enclosure` holds what is to be cleaned up after the process."""

    id: int
    header: str
    states: LRU[str, Handle]
    lifespan: Lifespan
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
    is_dropped: bool = False  # the pool has given it up: whoever brings it up stops

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

    @property
    def running(self) -> AsyncLeanREPLProcess:
        """The process of one that has come up."""
        assert self.process is not None  # noqa: S101 - none is leased before it has started
        return self.process

    def look(self) -> None:
        """See how much memory it has come to, and so whether it is due to go."""
        now = time.monotonic()
        if now - self.memory_checked_at >= MEMORY_CHECK_SECONDS:
            self.memory_checked_at = now
            self.memory_bytes = self.running.used_bytes
        self.due = self.lifespan.end(memory_bytes=self.memory_bytes, uses=self.uses, age_seconds=now - self.created_at)
