"""Who gets which REPL, what is started and what is let go: decided by pure functions over a view of the pool.

The rules:

- At most `size` REPLs work at a time; `size + spares` are kept. One more may exist while a header that was never
  imported here is tried, so that a misspelt import costs no warm REPL.
- A REPL imports one header in its life. A second import into the same process is slower than one into a fresh process,
  since the addresses of the compiled modules are taken and they are copied instead of mapped.
- Waiters are served in order. One is overtaken only by those whose REPL is ready while its own is not.
- A waiter whose header no REPL has gets one started: in a free place, else in that of the least valuable idle REPL.
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
    headers: tuple[str, ...] = ()  # that can be imported, as was seen here; the most recently asked for first
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

    The one with the most preferred state; else one that is not `contested`, wanted by others for the states it has;
    else the one that was used last: its memory is warm, and the spare stays fresh.
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
    draft = _Draft(view)
    for place, waiter in enumerate(view.waiters):
        draft.serve(waiter, view.waiters[place + 1 :])
    draft.trim()
    draft.fill()
    return Plan(grants=tuple(draft.grants), starts=tuple(draft.starts), retirements=tuple(draft.retirements))


class _Draft:
    """A plan that is being made, and the pool as it will be when the plan is carried out."""

    def __init__(self, view: PoolView) -> None:
        self.view = view
        self.grants: list[tuple[int, int]] = []
        self.starts: list[str] = []
        self.retirements: list[tuple[int, Retirement]] = []
        staying = []
        for process in view.processes:
            if process.status is Status.IDLE and process.due is not None:
                self.retirements.append((process.id, process.due))
            else:
                staying.append(process)
        self.count = len(staying)
        self.idle = {process.id: process for process in staying if process.status is Status.IDLE}
        self.slots = view.size - sum(process.status is Status.BUSY for process in staying)
        self.having = Counter(process.header for process in staying)
        self.starting = sum(process.status is Status.STARTING for process in staying)
        self.coming = Counter(process.header for process in staying if process.status is Status.STARTING)
        # A header that is tried for the first time may take one place too many, until it is known.
        self.trials = sum(number for header, number in self.coming.items() if header not in view.headers)
        self.kept: set[str] = set()  # headers whose idle REPLs a waiter will take as soon as there is a slot

    def serve(self, waiter: WaiterView, later: Sequence[WaiterView]) -> None:
        """Give the next waiter an idle REPL, or see to it that one comes."""
        if any(process.header == waiter.header for process in self.idle.values()):
            self._grant(waiter, later)
        elif self.coming[waiter.header] > 0:
            self.coming[waiter.header] -= 1  # that one is this waiter's, as far as starting another goes
        elif waiter.header not in self.view.held and self.having[waiter.header] < self.view.size:
            self._start(waiter, later)

    def trim(self) -> None:
        """Let go what is too many, once no start is on its way: what comes may be worth less than what is there."""
        coming = self.starting + len(self.starts)
        while self.count - coming > self.view.capacity:
            victim = self._victim()
            if victim is None:
                return
            self._retire(victim, Retirement.SURPLUS)
            self.count -= 1

    def fill(self) -> None:
        """Fill free places with the header asked for last: over time each is drawn as often as it is asked for."""
        header = next((header for header in self.view.headers if header not in self.view.held), None)
        if header is not None:
            self.starts.extend([header] * (self.view.capacity - self.count))

    def _grant(self, waiter: WaiterView, later: Sequence[WaiterView]) -> None:
        if self.slots <= 0:
            self.kept.add(waiter.header)
            return
        contested = _contested(self.idle.values(), later[: self.view.size])
        chosen = choose(self.idle.values(), waiter.header, waiter.prefer, contested=contested)
        if chosen is not None:
            self.grants.append((waiter.id, chosen.id))
            del self.idle[chosen.id]
            self.slots -= 1

    def _start(self, waiter: WaiterView, later: Sequence[WaiterView]) -> None:
        is_trial = waiter.header not in self.view.headers
        if self.count < self.view.capacity or (is_trial and self.count == self.view.capacity):
            self.count += 1
        elif not self._take_place(waiter, later, is_trial=is_trial):
            return
        self.starts.append(waiter.header)
        self.having[waiter.header] += 1
        self.trials += is_trial

    def _take_place(self, waiter: WaiterView, later: Sequence[WaiterView], *, is_trial: bool) -> bool:
        if is_trial and self.trials > 0:
            return False  # one at a time
        if self.having[waiter.header] and waiter.waited_seconds < self.view.start_seconds:
            return False  # its own are busy: more patience costs less than an import
        victim = self._victim(wanted={other.header for other in later})
        if victim is not None:
            self._retire(victim, Retirement.HEADER)
        return victim is not None

    def _victim(self, wanted: Container[str] = frozenset()) -> ProcessView | None:
        """The least valuable idle REPL: nobody wants its header, or its header or itself was used longest ago."""
        age = {header: place for place, header in enumerate(self.view.headers)}
        return min(
            (process for process in self.idle.values() if process.header not in self.kept),
            key=lambda process: (process.header in wanted, -age.get(process.header, len(age)), process.last_used),
            default=None,
        )

    def _retire(self, process: ProcessView, reason: Retirement) -> None:
        self.retirements.append((process.id, reason))
        self.having[process.header] -= 1
        del self.idle[process.id]


def _contested(idle: Collection[ProcessView], others: Iterable[WaiterView]) -> set[int]:
    """The processes that have a state which one of the others would like to find."""
    return {
        process.id
        for other in others
        for process in idle
        if process.header == other.header and any(state in process.states for state in other.prefer)
    }
