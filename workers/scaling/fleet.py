"""Which machine is in what state: the provider's list and the workers' reports, put together over time.

Neither is right alone. A provider lists machines whose workers have not started or have hung; a worker's report may be
missing because the broker, not the machine, is in trouble.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from workers.scaling.observer import of_machines
from workers.scaling.providers.provider import Instance
from workers.scaling.snapshot import Machine, MachineState, Offer
from workers.telemetry import Usage, WorkerReport, WorkerState

# A report that is missing this long is no accident of timing: its machine is not counted on any more.
SILENT_SECONDS = 45.0
# And this long: it is ended. Its leases have ended long before, so its work is done elsewhere.
LOST_SECONDS = 180.0
# A machine whose workers never reported is ended after several boot times, and no sooner than this.
NEVER_UP_SECONDS = 600.0
NEVER_UP_BOOTS = 5
# A look tells of the time since the last one, as far as that was a step or two. When the broker or we were away for
# longer, nobody could be heard, and the first look afterwards comes before most workers have reported again.
HEARD_STEPS = 2


class Known(msgspec.Struct, kw_only=True):
    """What is remembered of a machine. Times are unix seconds on the controller's clock."""

    offer: str
    since: float
    is_new: bool  # it appeared while we watched, so that its boot can be measured
    reported_at: float | None = None
    silent_seconds: float = 0.0  # since its last report or, before the first, since it is known; while we could hear
    warm_at: float | None = None
    slots: int = 0
    in_flight: int = 0
    draining: bool = False  # by our order
    leaving: bool = False  # by its workers' last word
    preempted: bool = False  # announced by its worker, and counted
    terminated: bool = False  # by us


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The fleet at one look, and what happened since the last one.

    `broken` are offers of machines that never came up. `blackout`: not one of several workers reports, which says more
    about the broker than about the machines.
    """

    machines: tuple[Machine, ...]
    usage: Mapping[str, Usage]
    preempted: int
    boots: tuple[float, ...]
    broken: tuple[str, ...]
    blackout: bool


class Fleet(msgspec.Struct, kw_only=True):
    """Call `look` at each step. Plain data but for `_usage`, so that the next leader knows what this one knew."""

    known: dict[str, Known] = {}
    looked_at: float | None = None
    dark_since: float | None = None
    usage: dict[str, tuple[float, dict[str, Usage]]] = {}

    def look(
        self,
        now: float,
        *,
        instances: Sequence[Instance],
        reports: Sequence[WorkerReport],
        offers: Iterable[Offer],
        boot_seconds: float,
        interval_seconds: float = 10.0,
    ) -> View:
        """Take in what provider and workers say.

        `boot_seconds` is how long a boot is expected to last, `interval_seconds` how often we look.
        """
        elapsed = 0.0 if self.looked_at is None else max(now - self.looked_at, 0.0)
        heard = min(elapsed, HEARD_STEPS * interval_seconds)
        if reports and self.dark_since is not None:
            # The workers that are heard again are the first of many: the others have their time from now on.
            for each in self.known.values():
                each.silent_seconds = 0.0
            heard = 0.0
        slots = {offer.name: offer.slots for offer in offers}
        by_machine = of_machines(reports)
        preempted = self._forget_gone(instances)
        boots: list[float] = []
        machines: list[Machine] = []
        broken: list[str] = []
        for instance in instances:
            known = self.known.get(instance.id)
            if known is None:
                # It was asked for at the end of the last look, at the earliest.
                since = now if self.looked_at is None else min(self.looked_at, now)
                is_new = self.looked_at is not None and instance.boot_is_seen
                known = Known(offer=instance.offer, since=since, is_new=is_new)
                self.known[instance.id] = known
            said = by_machine.get(instance.id, [])
            known.silent_seconds += heard
            preempted += self._hear(now, known, said, boots)
            state = _state(known, said, boot_seconds)
            if state is MachineState.LOST and known.reported_at is None:
                broken.append(known.offer)
            machines.append(
                Machine(
                    id=instance.id,
                    offer=instance.offer,
                    state=state,
                    slots=known.slots or slots.get(instance.offer, 1),
                    in_flight=known.in_flight,
                    ready_in_seconds=max(known.since + boot_seconds - now, 0.0)
                    if state is MachineState.BOOTING
                    else 0.0,
                )
            )
        view = View(
            machines=tuple(machines),
            usage=self._new_usage(reports),
            preempted=preempted,
            boots=tuple(boots),
            broken=tuple(broken),
            blackout=self._is_dark(now, reports),
        )
        self.looked_at = now
        return view

    def _forget_gone(self, instances: Sequence[Instance]) -> int:
        """Drop machines that the provider has no more; count those that were taken from us without a word before."""
        there = {instance.id for instance in instances}
        gone = [self.known.pop(each) for each in list(self.known) if each not in there]
        return sum(not each.terminated and not each.preempted for each in gone)

    def _hear(self, now: float, known: Known, said: Sequence[WorkerReport], boots: list[float]) -> int:
        if not said:
            return 0
        known.reported_at = now
        known.silent_seconds = 0.0
        known.slots = sum(report.slots for report in said)
        known.in_flight = sum(report.in_flight for report in said)
        was_preempted = known.preempted
        if any(report.preempted for report in said):
            known.preempted = True
        elif all(report.state is WorkerState.WARM for report in said):
            # A group may make a machine anew under the name of one that was preempted. Who only starts may be a worker
            # on the old one, which has not asked yet.
            known.preempted = False
        known.leaving = known.preempted or any(
            report.state in (WorkerState.DRAINING, WorkerState.DRAINED) for report in said
        )
        if known.warm_at is None and any(report.state is WorkerState.WARM for report in said):
            known.warm_at = now
            if known.is_new:
                boots.append(now - known.since)
        return int(known.preempted and not was_preempted)

    def _is_dark(self, now: float, reports: Sequence[WorkerReport]) -> bool:
        """Whether all of several machines are silent; believed to be the broker's fault until they would be lost."""
        warm = sum(each.warm_at is not None for each in self.known.values())
        if reports or warm <= 1:
            self.dark_since = None
            return False
        if self.dark_since is None:
            self.dark_since = now
        return now - self.dark_since < LOST_SECONDS

    def _new_usage(self, reports: Sequence[WorkerReport]) -> dict[str, Usage]:
        """What was done since each worker's last report."""
        total: dict[str, Usage] = {}
        before, self.usage = self.usage, {}
        for report in reports:
            self.usage[report.worker] = (report.started_at, report.usage)
            started_at, old = before.get(report.worker, (None, {}))
            if started_at != report.started_at:
                if self.looked_at is None or report.started_at < self.looked_at:
                    continue  # it has worked before we looked: from now on
                old = {}
            for kind, usage in report.usage.items():
                total[kind] = _sum(total.get(kind, Usage()), _difference(usage, old.get(kind, Usage())))
        return total


def _state(known: Known, said: Sequence[WorkerReport], boot_seconds: float) -> MachineState:
    if known.reported_at is None:
        patience = max(NEVER_UP_SECONDS, NEVER_UP_BOOTS * boot_seconds)
        return MachineState.LOST if known.silent_seconds > patience else MachineState.BOOTING
    if known.silent_seconds >= LOST_SECONDS:
        return MachineState.LOST
    states = {report.state for report in said}
    if states == {WorkerState.DRAINED} and known.in_flight == 0:
        return MachineState.DRAINED
    if known.draining or known.leaving or known.silent_seconds >= SILENT_SECONDS:
        return MachineState.DRAINING
    return MachineState.BOOTING if known.warm_at is None else MachineState.WARM


def _difference(new: Usage, old: Usage) -> Usage:
    return Usage(
        completed=max(new.completed - old.completed, 0),
        busy_seconds=max(new.busy_seconds - old.busy_seconds, 0.0),
        durations={
            bucket: count - old.durations.get(bucket, 0)
            for bucket, count in new.durations.items()
            if count > old.durations.get(bucket, 0)
        },
    )


def _sum(one: Usage, other: Usage) -> Usage:
    durations = dict(one.durations)
    for bucket, count in other.durations.items():
        durations[bucket] = durations.get(bucket, 0) + count
    return Usage(
        completed=one.completed + other.completed,
        busy_seconds=one.busy_seconds + other.busy_seconds,
        durations=durations,
    )
