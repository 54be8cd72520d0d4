"""The rules that others scale by, as fairly as we can state them, to be compared with on equal terms.

They are given what an operator would tune them with: the scenario's true mean service time. Each follows its
documentation's defaults otherwise. None of them drains: a machine that is scaled in gets a termination grace, and what
it has not finished by then is delivered again.
"""

import math
from collections import deque
from typing import Protocol

from workers.scaling.policy import Decision, PolicySettings, decide
from workers.scaling.scenario import Scenario
from workers.scaling.snapshot import MachineState, Snapshot
from workers.scaling.workload import Workload

# Kubernetes' default terminationGracePeriodSeconds.
GRACE_SECONDS = 30.0


class Rule(Protocol):
    """Decides the fleet's size at each tick."""

    @property
    def name(self) -> str:
        """For tables and plots."""

    @property
    def grace_seconds(self) -> float | None:
        """How long a drain may last before the machine is ended with what it holds; None: as long as it takes."""

    @property
    def standing_machines(self) -> int:
        """Machines that are warm before the scenario begins, since this rule never goes below."""

    def decide(self, now: float, snapshot: Snapshot, *, busy_share: float) -> Decision:
        """`busy_share`: busy slots among the slots of warm machines, now."""


class PolicyRule:
    """leanfleet's own policy."""

    name = "leanfleet"
    grace_seconds = None

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings
        self.standing_machines = settings.min_machines

    def decide(self, now: float, snapshot: Snapshot, *, busy_share: float) -> Decision:  # noqa: ARG002
        return decide(snapshot, self._settings)


class FixedRule:
    """Always the same number of machines; what is preempted is replaced: an Auto Scaling group of a fixed capacity."""

    name = "fixed fleet"
    grace_seconds = GRACE_SECONDS

    def __init__(self, scenario: Scenario, workload: Workload) -> None:
        # As many as its peak needs: whatever arrives within the time to clear is done in that time.
        within = scenario.policy.clear_within_seconds
        enough = math.ceil(workload.peak_seconds(within) / within / scenario.offers[0].slots)
        self._machines = self.standing_machines = scenario.baselines.fixed_machines or enough

    def decide(self, now: float, snapshot: Snapshot, *, busy_share: float) -> Decision:  # noqa: ARG002
        return resize(snapshot, self._machines)


class QueueLengthRule:
    """KEDA's Redis-list scaler over a Kubernetes autoscaler: one machine for so many waiting messages.

    Defaults of KEDA 2 and autoscaling/v2: polling every 30 s, at most doubling (or 4 more) in 15 s, scaling down to the
    highest recommendation of the last 300 s, and to zero 300 s after the list was last seen non-empty. What is in
    flight is not in the list and does not count.
    """

    name = "queue length"
    grace_seconds = GRACE_SECONDS
    standing_machines = 0
    _polling_seconds = 30.0
    _step_seconds = 15.0
    _stable_seconds = 300.0

    def __init__(self, scenario: Scenario, workload: Workload) -> None:
        # What a machine does in the time to clear, less its boot.
        seconds = max(scenario.policy.clear_within_seconds - scenario.assumed_boot_seconds, 1.0)
        own = scenario.offers[0].slots * seconds / max(workload.mean_seconds, 1e-9)
        self._per_machine = scenario.baselines.queue_per_machine or own
        self._max = scenario.policy.max_machines
        self._polled = -math.inf
        self._stepped = -math.inf
        self._length = 0.0
        self._active = -math.inf
        self._recommended: deque[tuple[float, int]] = deque()

    def decide(self, now: float, snapshot: Snapshot, *, busy_share: float) -> Decision:  # noqa: ARG002
        if now - self._polled >= self._polling_seconds:
            self._polled, self._length = now, snapshot.queued
            if self._length:
                self._active = now
        current = _taking_work(snapshot)
        if not self._recommended:
            self._recommended.append((now, current))
        wish = min(math.ceil(self._length / self._per_machine), self._max)
        if now - self._active < self._stable_seconds:
            wish = max(wish, 1)
        self._recommended.append((now, wish))
        while now - self._recommended[0][0] > self._stable_seconds:
            self._recommended.popleft()
        if wish > current:
            if now - self._stepped < self._step_seconds:
                return resize(snapshot, current)
            self._stepped = now
            return resize(snapshot, min(wish, max(2 * current, current + 4)))
        return resize(snapshot, min(current, max(machines for _, machines in self._recommended)))


class CpuTargetRule:
    """Target tracking on average CPU: out after 3 minutes above the target, in after 15 below 90 % of it.

    As AWS Auto Scaling does it: alarms over one-minute data, in proportion, and never below one machine since an empty
    group has no CPU to track. A busy slot is a busy core here.
    """

    name = "CPU target"
    grace_seconds = GRACE_SECONDS
    standing_machines = 1
    _minute = 60.0
    _out_minutes = 3
    _in_minutes = 15

    def __init__(self, scenario: Scenario) -> None:
        self._target = scenario.baselines.cpu_target
        self._max = scenario.policy.max_machines
        self._samples: list[float] = []
        self._minutes: deque[float] = deque(maxlen=self._in_minutes)
        self._minute_ends = self._minute

    def decide(self, now: float, snapshot: Snapshot, *, busy_share: float) -> Decision:
        current = _taking_work(snapshot)
        self._samples.append(busy_share)
        if now >= self._minute_ends:
            self._minute_ends = now + self._minute
            self._minutes.append(sum(self._samples) / len(self._samples))
            self._samples.clear()
            latest = list(self._minutes)[-self._out_minutes :]
            if len(latest) == self._out_minutes and min(latest) > self._target:
                self._minutes.clear()
                return resize(snapshot, min(math.ceil(current * latest[-1] / self._target), self._max))
            if len(self._minutes) == self._in_minutes and max(self._minutes) < 0.9 * self._target:
                self._minutes.clear()
                return resize(snapshot, max(math.ceil(current * latest[-1] / self._target), 1))
        return resize(snapshot, max(current, 1))


def all_rules(scenario: Scenario, workload: Workload) -> list[Rule]:
    return [
        PolicyRule(scenario.policy),
        FixedRule(scenario, workload),
        QueueLengthRule(scenario, workload),
        CpuTargetRule(scenario),
    ]


def resize(snapshot: Snapshot, machines: int) -> Decision:
    """Go to so many machines: cheapest offers first; the newest end first, busy or not."""
    fleet = [each for each in snapshot.machines if each.state in (MachineState.BOOTING, MachineState.WARM)]
    missing = machines - len(fleet)
    launch: dict[str, int] = {}
    for offer in sorted(snapshot.offers, key=lambda offer: offer.price_per_slot_hour):
        existing = sum(machine.offer == offer.name for machine in snapshot.machines)
        count = min(missing, offer.quota - existing)
        if count > 0 and offer.blocked_seconds <= 0:
            launch[offer.name] = count
            missing -= count
    drain = tuple(machine.id for machine in fleet[machines:]) if missing < 0 else ()
    gone = tuple(m.id for m in snapshot.machines if m.state in (MachineState.DRAINED, MachineState.LOST))
    return Decision(launch=launch, drain=drain, terminate=gone, machines=machines, wanted=machines, reasons=())


def _taking_work(snapshot: Snapshot) -> int:
    return sum(machine.state in (MachineState.BOOTING, MachineState.WARM) for machine in snapshot.machines)
