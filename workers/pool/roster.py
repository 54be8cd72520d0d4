"""The members of a pool, from before they start until they are dropped."""

import itertools
import random
from collections.abc import Iterator

from workers.lru import LRU
from workers.pool.assignment import Status
from workers.pool.lifespan import Lifespans
from workers.pool.member import Member
from workers.settings import PoolSettings


class Roster:
    """In the order in which they came. `busy` is how many are leased, or owe the reply to a cancelled request."""

    def __init__(self, settings: PoolSettings, rng: random.Random) -> None:
        self.capacity = settings.repls + settings.spares
        self._states = settings.states_per_repl
        self._lifespans = Lifespans(settings, rng)
        self._members: dict[int, Member] = {}
        self._ids = itertools.count(1)
        self._uses = itertools.count(1)

    def __repr__(self) -> str:
        return f"<Roster {len(self)} of {self.capacity}>"

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __getitem__(self, number: int) -> Member:
        return self._members[number]

    @property
    def busy(self) -> int:
        return sum(member.status is Status.BUSY for member in self)

    def staying(self) -> Iterator[Member]:
        """Those that nobody uses and that are not due to go."""
        return (member for member in self if member.status is Status.IDLE and member.due is None)

    def headers(self) -> tuple[str, ...]:
        """Those of the members that have come up."""
        return tuple(member.header for member in self if member.status is not Status.STARTING)

    def add(self, header: str) -> Member:
        """A new member, which is to be started."""
        member = Member(id=next(self._ids), header=header, states=LRU(self._states), lifespan=self._lifespans.draw())
        self._members[member.id] = member
        return member

    def use(self, member: Member) -> None:
        """It is leased now."""
        member.status = Status.BUSY
        member.uses += 1
        member.last_used = next(self._uses)

    def drop(self, member: Member) -> bool:
        """Take a member out; False where that was done before."""
        if member.is_dropped:
            return False
        member.is_dropped = True
        del self._members[member.id]
        return True
