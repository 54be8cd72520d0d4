"""Who gets which REPL, what is started and what is let go: decided by pure functions over a view of the pool.

The rules:

- At most `size` REPLs work at a time; `size + spares` are kept. One more may exist while a header that was never imported
  here is tried, so that a misspelt import costs no warm REPL.
- A REPL imports one header in its life. A second import into the same process is slower than one into a fresh process,
  since the addresses of the compiled modules are taken and they are copied instead of mapped.
- Waiters are served in order. One is overtaken only by those whose REPL is ready while its own is not.
- A waiter whose header no REPL has gets one started: in a free place, else in the place of the least valuable idle REPL.
- Where REPLs with its header are merely busy, it takes another's place only after having waited for as long as a start
  takes. Otherwise chance fluctuations between two headers would have REPLs import all day.
"""

import enum
from collections import Counter
from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass


class Status(enum.StrEnum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"


class Retirement(enum.StrEnum):
    """Why a REPL is let go. Those that died or broke a limit are gone before anyone can decide on them."""

    MEMORY = "memory"
    AGE = "age"
    USES = "uses"
    HEADER = "header"  # its place is needed for another header
    SURPLUS = "surplus"  # more than `size + spares`


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessView:
    id: int
    status: Status
    header: str
    last_used: float = 0.0  # grows with each use
    states: Container[str] = frozenset()  # ids of the states that live in it
    due: Retirement | None = None  # it is to go as soon as it is idle


@dataclass(frozen=True, kw_only=True, slots=True)
class WaiterView:
    id: int
    header: str
    prefer: tuple[str, ...] = ()  # ids of states that it would like to find, best first
    waited_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolView:
    size: int
    spares: int
    processes: tuple[ProcessView, ...] = ()
    waiters: tuple[WaiterView, ...] = ()  # in the order in which they came
    headers: tuple[str, ...] = ()  # that have been imported here, the most recently asked for first
    held: frozenset[str] = frozenset()  # headers whose starts fail: not to be started now
    start_seconds: float = 1.0  # how long a start takes here, imports included

    @property
    def capacity(self) -> int:
        return self.size + self.spares


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    grants: tuple[tuple[int, int], ...] = ()  # waiter, process
    starts: tuple[str, ...] = ()  # headers
    retirements: tuple[tuple[int, Retirement], ...] = ()  # idle processes, to be ended

    def __bool__(self) -> bool:
        return bool(self.grants or self.starts or self.retirements)


def choose(
    idle: Iterable[ProcessView], header: str, prefer: Sequence[str], *, contested: Container[int] = frozenset()
) -> ProcessView | None:
    """The idle process that serves a waiter best, or None where none has its header.

    The one with the most preferred state; else one that is not `contested`, wanted by others for the states it has; else
    the one that was used last: its memory is warm, and the spare stays fresh.
    """
    best: ProcessView | None = None
    best_rank: tuple[int, bool, float] | None = None
    for process in idle:
        if process.header != header:
            continue
        place = next((place for place, state in enumerate(prefer) if state in process.states), len(prefer))
        rank = (-place, process.id not in contested, process.last_used)
        if best_rank is None or rank > best_rank:
            best, best_rank = process, rank
    return best


def assign(view: PoolView) -> Plan:
    """What is to be done now. Doing it and asking again gives an empty plan, until something happens."""
    retirements = [
        (process.id, process.due)
        for process in view.processes
        if process.status is Status.IDLE and process.due is not None
    ]
    leaving = {process for process, _ in retirements}
    staying = [process for process in view.processes if process.id not in leaving]
    idle = {process.id: process for process in staying if process.status is Status.IDLE}
    on_their_way = Counter(process.header for process in staying if process.status is Status.STARTING)
    having = Counter(process.header for process in staying)  # processes by header
    slots = view.size - sum(process.status is Status.BUSY for process in staying)
    count = len(staying)
    # A header that is tried for the first time may take one place too many until it is known.
    trials = sum(on_their_way[header] for header in on_their_way if header not in view.headers)

    grants: list[tuple[int, int]] = []
    starts: list[str] = []
    kept: set[str] = set()  # headers of idle processes that an earlier waiter only needs a slot for

    for place, waiter in enumerate(view.waiters):
        header = waiter.header
        if any(process.header == header for process in idle.values()):
            if slots > 0:
                contested = _contested(idle.values(), view.waiters[place + 1 : place + 1 + view.size])
                chosen = choose(idle.values(), header, waiter.prefer, contested=contested)
                assert chosen is not None  # noqa: S101 - one has the header
                grants.append((waiter.id, chosen.id))
                del idle[chosen.id]
                slots -= 1
            else:
                kept.add(header)
            continue
        if on_their_way[header] > 0:
            on_their_way[header] -= 1
            continue
        if header in view.held or having[header] >= view.size:
            continue
        is_trial = header not in view.headers
        if count < view.capacity or (is_trial and count == view.capacity):
            count += 1
        elif is_trial and trials > 0:
            continue
        elif not having[header] or waiter.waited_seconds >= view.start_seconds:
            later = {other.header for other in view.waiters[place + 1 :]}
            victim = _least_valuable((p for p in idle.values() if p.header not in kept), view.headers, wanted=later)
            if victim is None:
                continue
            retirements.append((victim.id, Retirement.HEADER))
            having[victim.header] -= 1
            del idle[victim.id]
        else:
            continue
        having[header] += 1
        trials += is_trial
        starts.append(header)

    waited_for = {waiter.header for waiter in view.waiters}
    while count - min(trials, 1) > view.capacity:
        victim = _least_valuable((p for p in idle.values() if p.header not in waited_for), view.headers)
        if victim is None:
            break
        retirements.append((victim.id, Retirement.SURPLUS))
        del idle[victim.id]
        count -= 1

    # The header that was asked for last: over time these are drawn as often as they are asked for.
    spare = next((header for header in view.headers if header not in view.held), None)
    if spare is not None:
        starts.extend([spare] * (view.capacity - count))
    return Plan(grants=tuple(grants), starts=tuple(starts), retirements=tuple(retirements))


def _contested(idle: Collection[ProcessView], others: Iterable[WaiterView]) -> set[int]:
    """The processes that have a state which one of the others would like to find."""
    return {
        process.id
        for other in others
        for process in idle
        if process.header == other.header and any(state in process.states for state in other.prefer)
    }


def _least_valuable(
    idle: Iterable[ProcessView], headers: Sequence[str], *, wanted: Container[str] = frozenset()
) -> ProcessView | None:
    """Of the idle: one whose header nobody waits for, whose header was asked for longest ago, which was used longest ago."""
    age = {header: place for place, header in enumerate(headers)}
    return min(
        idle,
        key=lambda process: (
            process.header in wanted,
            -age.get(process.header, len(headers)),
            process.last_used,
        ),
        default=None,
    )
