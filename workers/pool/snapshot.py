"""The pool at one moment, for metrics and for `leanfleet status`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from workers.images.stock import Counts as ImageCounts
from workers.pool.assignment import Status
from workers.pool.member import Member


@dataclass(kw_only=True)
class Counts:
    """Since the pool was opened."""

    starts: int = 0
    start_failures: int = 0
    leases: int = 0
    warm_hits: int = 0
    state_hits: int = 0
    ended: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class ReplStatus:
    """One REPL of the pool, as seen at one moment. Bytes are as of its last return.

    `group` is the process group that holds its memory, which for a thawed one is another than that of `pid`.
    """

    pid: int | None
    group: int | None
    status: Status
    header: str
    uses: int
    age_seconds: float
    memory_bytes: int
    states: int

    @classmethod
    def of(cls, member: Member, now: float) -> Self:
        return cls(
            pid=member.process.pid if member.process is not None else None,
            group=member.process.leader if member.process is not None else None,
            status=member.status,
            header=member.header,
            uses=member.uses,
            age_seconds=now - member.created_at,
            memory_bytes=member.memory_bytes,
            states=len(member.states),
        )


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

    @classmethod
    def of(
        cls,
        members: Iterable[Member],
        *,
        size: int,
        spares: int,
        waiting: int,
        counts: Counts,
        images: ImageCounts,
        now: float,
    ) -> Self:
        repls = tuple(ReplStatus.of(member, now) for member in members)
        statuses = Counter(repl.status for repl in repls)
        return cls(
            size=size,
            spares=spares,
            busy=statuses[Status.BUSY],
            idle=statuses[Status.IDLE],
            starting=statuses[Status.STARTING],
            waiting=waiting,
            repls=repls,
            starts=counts.starts,
            start_failures=counts.start_failures,
            leases=counts.leases,
            warm_hits=counts.warm_hits,
            state_hits=counts.state_hits,
            thaws=images.thawed,
            thaw_failures=images.thaw_failures,
            images={
                "frozen": images.frozen,
                "freeze_failed": images.freeze_failures,
                "fetched": images.fetched,
                "refused": images.refused,
            },
            ended=dict(counts.ended),
        )
