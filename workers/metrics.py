"""A worker's metrics, put together from its counters when somebody asks.

Names begin with `leanfleet_worker_`. Nothing in a label comes from a user's text, and no label has more than a dozen
values, so that a thousand workers stay within what one Prometheus holds.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from producer.histogram import Histogram
from producer.version import __version__
from workers.isolation.fence import Guard
from workers.memory import GroupMemory
from workers.pool import PoolSnapshot
from workers.pool.assignment import Status
from workers.tally import Tally, WorkerSample
from workers.telemetry import Usage, WorkerReport, WorkerState

PREFIX = "leanfleet_worker_"

# There from zero on, since alerts ask for them: Prometheus cannot see the first step of a series that was not there.
_ENDS = ("timeout", "out_of_memory", "died", "memory", "uses", "age")
_EVENTS = ("exported", "fallback_missing", "fallback_corrupt", "fallback_refused", "fallback_killed")


class WorkerCollector(Collector):
    """Makes metrics of a tally and of the sample that `look` gives, at each scrape and in the scraper's thread."""

    def __init__(self, tally: Tally, look: Callable[[], WorkerSample | None], *, worker: str, queue: str) -> None:
        """`look` gives None when the worker's event loop does not answer in time."""
        self._tally = tally
        self._look = look
        self._worker = worker
        self._queue = queue
        self._memory = GroupMemory()

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before the first scrape, and registering must not wait for the worker's loop."""
        return ()

    def collect(self) -> Iterator[Metric]:
        sample = self._look()
        yield _gauge("responsive", "Whether the worker's event loop answers", sample is not None)
        yield from self._operations()
        if sample is None:
            return
        yield self._info(sample)
        if sample.report is not None:
            yield from _reported(sample.report)
        yield from _usage(sample.usage)
        if sample.engine is not None:
            yield from self._pool(sample.engine.pool)
            yield _events(sample.engine.counts)
            yield _guards(sample.engine.guards)

    def _info(self, sample: WorkerSample) -> Metric:
        names = ("worker", "machine", "queue", "version", "project")
        info = GaugeMetricFamily(f"{PREFIX}info", "1, with what the worker is", labels=names)
        machine = sample.report.machine if sample.report is not None else ""
        project = sample.engine.project[:12] if sample.engine is not None else ""
        info.add_metric((self._worker, machine, self._queue, __version__, project), 1)
        return info

    def _operations(self) -> Iterator[Metric]:
        tally = self._tally
        yield _counter("operations", "Answers by kind and outcome", ("kind", "outcome"), dict(tally.outcomes).items())
        yield _counter("cached_answers", "Answers from memory", ("kind",), _single(tally.cached))
        yield _counter("restores", "States by the way they came", ("kind", "way"), dict(tally.restores).items())
        yield _histogram("lean_seconds", "In Lean, for what was asked", ("kind",), dict(tally.lean))
        yield _histogram("restore_seconds", "Until the state was there", ("way",), dict(tally.restoring))
        yield _histogram("queue_seconds", "From publishing until this worker took it", (), {"": tally.queued})
        yield _histogram("repl_wait_seconds", "On this worker, until a REPL was free", (), {"": tally.waiting})
        yield _plain("redeliveries", "Deliveries whose last worker vanished", tally.redelivered)
        yield _plain("bounces", "Deliveries handed on since their REPL died here", tally.bounced)
        yield _plain("releases", "Deliveries handed back since this worker was ending", tally.released)
        yield _plain("returns", "Deliveries handed on since all REPLs here were at work", tally.handed_on)
        yield _plain("revocations", "Operations that nobody waited for any more", tally.revoked)
        yield _plain("dropped_operations", "Dropped in the queue, since nobody waited for them", tally.dropped)
        yield _plain("dead_letters", "Operations that were given up", tally.dead_letters)

    def _pool(self, pool: PoolSnapshot) -> Iterator[Metric]:
        yield _gauge("slots", "REPLs that may work at a time", pool.size)
        yield _gauge("waiting_operations", "Operations that wait for a REPL of this worker", pool.waiting)
        repls = GaugeMetricFamily(f"{PREFIX}repls", "REPL processes by what they do", labels=("status",))
        for status, count in ((Status.BUSY, pool.busy), (Status.IDLE, pool.idle), (Status.STARTING, pool.starting)):
            repls.add_metric((str(status),), count)
        yield repls
        sizes = [self._memory.used_bytes(repl.group) for repl in pool.repls if repl.group is not None]
        yield _gauge("repl_memory_bytes", "Held by all REPLs, without what they share", sum(sizes))
        yield _gauge("largest_repl_memory_bytes", "Held by the largest REPL", max(sizes, default=0))
        yield _plain("repl_starts", "REPLs that came up", pool.starts)
        yield _plain("repl_start_failures", "Starts of a REPL that failed", pool.start_failures)
        yield _plain("repl_thaws", "Of the REPLs that came up, those thawed from an image", pool.thaws)
        yield _plain("repl_thaw_failures", "Images that did not thaw", pool.thaw_failures)
        yield _counter("repl_images", "Images by what became of them", ("event",), _single(pool.images))
        ended = dict.fromkeys(_ENDS, 0) | pool.ended
        yield _counter("repl_ends", "REPLs that ended, by reason", ("reason",), _single(ended))
        yield _plain("leases", "REPLs lent to operations", pool.leases)
        found = _single({"warm": pool.warm_hits, "state": pool.state_hits})
        yield _counter(
            "lease_hits", "Leases whose REPL was ready, or had the state or one before it", ("found",), found
        )


def _reported(report: WorkerReport) -> Iterator[Metric]:
    states = GaugeMetricFamily(f"{PREFIX}state", "1 for the state that the worker is in", labels=("state",))
    for state in WorkerState:
        states.add_metric((str(state),), report.state is state)
    yield states
    yield _gauge("in_flight_deliveries", "Taken and not acknowledged", report.in_flight)
    yield _gauge("preempted", "Whether the machine's provider announced that it takes it", report.preempted)
    yield _gauge("started_timestamp_seconds", "When the worker started", report.started_at)


def _usage(usage: dict[str, Usage]) -> Iterator[Metric]:
    gauge = GaugeMetricFamily(f"{PREFIX}running_operations", "Operations that have a REPL", labels=("kind",))
    for kind, each in usage.items():
        gauge.add_metric((kind,), each.running)
    yield gauge
    busy = [((kind,), each.busy_seconds) for kind, each in usage.items()]
    yield _counter("busy_seconds", "Time in which operations had a REPL, those under way included", ("kind",), busy)


def _events(counts: Counter[str]) -> Metric:
    known = {name: count for name, count in counts.items() if not name.startswith("restored_")}
    events = _single(dict.fromkeys(_EVENTS, 0) | known)
    return _counter("state_events", "Blobs of no use (fallback_…) and exports", ("event",), events)


def _guards(guards: tuple[Guard, ...]) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}isolation_guard", "Whether this promise of the isolation is kept", labels=("guard",)
    )
    for guard in guards:
        family.add_metric((guard.name,), guard.holds)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _plain(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _single(counts: dict[str, int]) -> list[tuple[tuple[str], int]]:
    return [((name,), count) for name, count in dict(counts).items()]


def _counter(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for each, value in values:
        family.add_metric([str(label) for label in each], value)
    return family


def _histogram(name: str, text: str, labels: tuple[str, ...], values: dict[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
    for label, histogram in values.items():
        family.add_metric([str(label)] if labels else [], histogram.cumulative(), histogram.total_seconds)
    return family
