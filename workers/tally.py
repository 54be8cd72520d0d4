"""What a worker counts while it works: a few additions for each operation, whether or not anybody ever looks."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from producer.histogram import Histogram
from producer.operation import OPERATIONS
from producer.outcome import Outcome
from producer.result import AnyResult, Restored
from workers.telemetry import Usage, WorkerReport

if TYPE_CHECKING:  # whoever counts need not load what runs REPLs
    from workers.isolation.fence import Guard
    from workers.pool import PoolSnapshot


class Tally:
    """What became of operations on this worker since it started. Not thread-safe: it lives on the event loop."""

    def __init__(self) -> None:
        # From zero on: Prometheus cannot see the first step of a series that was not there before.
        self.outcomes: dict[tuple[str, str], int] = {(kind, outcome): 0 for kind in OPERATIONS for outcome in Outcome}
        self.cached: dict[str, int] = {}
        self.restores: dict[tuple[str, str], int] = {}
        self.lean: dict[str, Histogram] = {}
        self.restoring: dict[str, Histogram] = {}
        self.queued = Histogram()
        self.waiting = Histogram()
        self.redelivered = 0
        self.bounced = 0
        self.released = 0
        self.revoked = 0
        self.dropped = 0  # counted in another thread than all else, and there alone
        self.handed_on = 0
        self.dead_letters = 0

    def by_outcome(self) -> dict[str, int]:
        """How many answers of each outcome."""
        counts: dict[str, int] = {}
        for (_, outcome), count in self.outcomes.items():
            counts[str(outcome)] = counts.get(str(outcome), 0) + count
        return counts

    def answered(self, kind: str, result: AnyResult, *, enqueued: bool, ran: bool) -> None:
        """Count a result that is about to be sent: about a microsecond.

        Args:
            kind: the operation's.
            result: as it goes out.
            enqueued: whether it is known when it was enqueued.
            ran: whether it came as far as a REPL: not where it was refused, too late, or buried.
        """
        key = (kind, result.outcome)
        self.outcomes[key] += 1
        timing = result.timing
        if enqueued:
            self.queued.add(timing.queued_seconds)
        if result.cached:
            self.cached[kind] = self.cached.get(kind, 0) + 1
        elif ran:
            self.waiting.add(timing.waiting_seconds)
            _of(self.lean, kind).add(timing.lean_seconds)
            if result.restored is not Restored.NOTHING:
                way = (kind, result.restored)
                self.restores[way] = self.restores.get(way, 0) + 1
                _of(self.restoring, result.restored).add(timing.restoring_seconds)


def _of(histograms: dict[str, Histogram], name: str) -> Histogram:
    found = histograms.get(name)
    if found is None:
        found = histograms[name] = Histogram()
    return found


@dataclass(frozen=True, kw_only=True)
class EngineSnapshot:
    """The parts that know of Lean, at one moment. `counts` are the executor's."""

    pool: "PoolSnapshot"
    counts: Counter[str]
    guards: "tuple[Guard, ...]"
    project: str


@dataclass(frozen=True, kw_only=True)
class WorkerSample:
    """All that a scrape is made from. Without an engine the worker is still starting."""

    report: WorkerReport | None
    engine: EngineSnapshot | None
    usage: dict[str, Usage]
