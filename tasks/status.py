"""What the fleet looks like from the broker: made from one look at queue and reports, without any I/O of its own."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from producer.outcome import Outcome
from workers.scaling.observer import Sight
from workers.telemetry import WorkerReport, WorkerState

# The fleet is sized so that nothing waits longer than this (docs/scaling.md).
_LONG_WAIT_SECONDS = 600.0
# Of the last minute's answers. Fewer than so many failures are a model's bad luck with its limits.
_FAILING_SHARE = 0.05
_FEW = 10

_ANSWERS = (Outcome.OK, Outcome.LEAN_ERROR)


class QueueStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`in_flight` is None where the broker does not tell, `oldest_seconds` where the oldest message does not. So are
    `interactive`, how many of those that wait go before the others, and `producers`, how many have their turn.

    `dead` are dead letters. `eta_seconds` is when the queue would be empty at the last minute's rate; None: never.
    """

    name: str
    waiting: int
    in_flight: int | None
    oldest_seconds: float | None
    dead: int
    eta_seconds: float | None
    interactive: int | None = None
    producers: int | None = None


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker by its last report, a few seconds old. Rates are those of its last minute."""

    worker: str
    machine: str
    state: WorkerState
    preempted: bool
    repls: int
    busy_repls: int
    in_flight: int
    operations_per_second: float
    uptime_seconds: float
    metrics_url: str


class FleetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`rates` are operations a second by kind, `outcomes` counts by outcome; both of the last minute.

    `busy_share` is how busy the REPLs of the workers that take work were in it; None without any. `problems` are
    for people.
    """

    at: float
    queue: QueueStatus
    machines: int
    states: dict[str, int]
    repls: int
    busy_repls: int
    busy_share: float | None
    operations_per_second: float
    rates: dict[str, float]
    outcomes: dict[str, int]
    workers: tuple[WorkerStatus, ...]
    problems: tuple[str, ...] = ()

    @property
    def is_stuck(self) -> bool:
        """Operations wait, and nobody takes them."""
        return self.queue.waiting > 0 and not self.states.get(WorkerState.WARM)


def fleet_status(sight: Sight, *, queue: str, dead: int, now: float) -> FleetStatus:
    """The whole of it, with what is wrong. `now` is unix time."""
    workers = tuple(_worker_status(report, now) for report in sight.reports)
    taking = [worker for worker in workers if worker.state is WorkerState.WARM]
    repls = sum(worker.repls for worker in taking)
    busy = sum(worker.busy_repls for worker in workers)
    rates = _rates(sight.reports)
    rate = sum(rates.values())
    status = FleetStatus(
        at=now,
        queue=QueueStatus(
            name=queue,
            waiting=sight.queued,
            in_flight=sight.in_flight,
            oldest_seconds=_oldest_seconds(sight, now),
            dead=dead,
            eta_seconds=sight.queued / rate if rate else None if sight.queued else 0.0,
            interactive=sight.interactive,
            producers=sight.producers,
        ),
        machines=len({worker.machine for worker in workers}),
        states=dict(Counter(str(worker.state) for worker in workers)),
        repls=repls,
        busy_repls=busy,
        busy_share=_busy_share(sight.reports),
        operations_per_second=rate,
        rates=rates,
        outcomes=_outcomes(sight.reports),
        workers=workers,
    )
    return msgspec.structs.replace(status, problems=tuple(_problems(status)))


def targets(reports: Sequence[WorkerReport]) -> list[dict[str, object]]:
    """The workers that serve metrics, as Prometheus' `file_sd_configs` reads it."""
    places = sorted(report.metrics_url.split("/")[2] for report in reports if report.metrics_url)
    return [{"targets": places, "labels": {}}]


def _worker_status(report: WorkerReport, now: float) -> WorkerStatus:
    return WorkerStatus(
        worker=report.worker,
        machine=report.machine,
        state=report.state,
        preempted=report.preempted,
        repls=report.repls,
        busy_repls=report.busy_repls,
        in_flight=report.in_flight,
        operations_per_second=sum(_rates([report]).values()),
        uptime_seconds=max(0.0, now - report.started_at),
        metrics_url=report.metrics_url,
    )


def _rates(reports: Sequence[WorkerReport]) -> dict[str, float]:
    rates: dict[str, float] = {}
    for report in reports:
        for kind, count in report.recent.completed.items():
            rates[kind] = rates.get(kind, 0.0) + count / report.recent.seconds
    return dict(sorted(rates.items(), key=lambda each: -each[1]))


def _busy_share(reports: Sequence[WorkerReport]) -> float | None:
    taking = [report for report in reports if report.state is WorkerState.WARM]
    there = sum(report.repls * report.recent.seconds for report in taking)
    return min(1.0, sum(report.recent.busy_seconds for report in taking) / there) if there else None


def _outcomes(reports: Sequence[WorkerReport]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.recent.outcomes)
    return dict(counts.most_common())


def _oldest_seconds(sight: Sight, now: float) -> float | None:
    if not sight.queued:
        return 0.0
    # Not the one at the front: what waits in bulk is older than what goes before it.
    oldest = min((sample.enqueued_at for sample in sight.samples if sample.enqueued_at is not None), default=None)
    return None if oldest is None else max(0.0, now - oldest)


def _problems(status: FleetStatus) -> list[str]:
    """What somebody should look at, the worst first, each with where to look."""
    found = []
    queue = status.queue
    if status.is_stuck:
        there = ", ".join(f"{count} {state}" for state, count in status.states.items()) or "none at all"
        found.append(
            f"{queue.waiting} operations wait and no worker takes work ({there}): start workers, or see docs/scaling.md"
        )
    elif queue.oldest_seconds is not None and queue.oldest_seconds > _LONG_WAIT_SECONDS:
        found.append(
            f"the oldest operation has waited {queue.oldest_seconds / 60:.0f} min: the fleet is too small, or stuck"
        )
    failures = {name: count for name, count in status.outcomes.items() if name not in _ANSWERS}
    failed, answers = sum(failures.values()), sum(status.outcomes.values())
    if failed >= max(_FEW, _FAILING_SHARE * answers):
        words = ", ".join(f"{name} {count}" for name, count in failures.items())
        found.append(f"{failed} of the last minute's {answers} answers are failures ({words}): see the workers' logs")
    if preempted := [worker.machine for worker in status.workers if worker.preempted]:
        found.append(
            f"{len(preempted)} machines are being taken by their provider: {', '.join(sorted(set(preempted)))}"
        )
    if queue.dead:
        found.append(f"{queue.dead} operations were given up: leanfleet dead list")
    return found
