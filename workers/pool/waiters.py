"""Who waits for a REPL, in the order in which they came."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from producer.errors import LeanFleetError
from workers.pool.assignment import WaiterView
from workers.pool.member import Member


@dataclass(eq=False, kw_only=True)
class Waiter:
    """One who waits, since a moment (monotonic)."""

    id: int
    header: str
    prefer: tuple[str, ...]
    future: asyncio.Future[Member]
    since: float = field(default_factory=time.monotonic)

    def view(self, now: float) -> WaiterView:
        return WaiterView(id=self.id, header=self.header, prefer=self.prefer, waited_seconds=now - self.since)


class Waiters:
    """Those who were answered stay until they `leave`: they must wake up first."""

    def __init__(self, size: int) -> None:
        """`size` is how many REPLs work at a time."""
        self._size = size
        self._waiters: dict[int, Waiter] = {}
        self._ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"<Waiters {len(self)}>"

    def __len__(self) -> int:
        return len(self._waiters)

    def __getitem__(self, number: int) -> Waiter:
        return self._waiters[number]

    def join(self, header: str, prefer: tuple[str, ...]) -> Waiter:
        """The last in the queue; its `future` is to be awaited."""
        waiter = Waiter(
            id=next(self._ids), header=header, prefer=prefer, future=asyncio.get_running_loop().create_future()
        )
        self._waiters[waiter.id] = waiter
        return waiter

    def leave(self, waiter: Waiter) -> None:
        self._waiters.pop(waiter.id, None)

    def unanswered(self) -> Iterator[Waiter]:
        return (waiter for waiter in self._waiters.values() if not waiter.future.done())

    def first(self) -> list[Waiter]:
        """Those who can matter to a plan, in order: no header is granted or started more than `size` times at once."""
        ahead: Counter[str] = Counter()
        first = []
        for waiter in self.unanswered():
            if ahead[waiter.header] < self._size:
                ahead[waiter.header] += 1
                first.append(waiter)
        return first

    def matters(self, new: Waiter) -> bool:
        """Whether one who has just come can change what is to be done; see `first`."""
        return sum(waiter.header == new.header for waiter in self.unanswered()) <= self._size

    def refuse(self, error: LeanFleetError, header: str | None = None) -> None:
        """Answer all, or those with a header, with an error of this kind; each gets one of its own."""
        for waiter in self.unanswered():
            if header is None or waiter.header == header:
                waiter.future.set_exception(type(error)(error.message))
