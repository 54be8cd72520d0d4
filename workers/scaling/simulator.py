"""A discrete-event model of a fleet under a scaling rule: every operation, boot and preemption is an event.

The rule sees what the real controller would see: the same snapshot, with rates, service times and boots as they were
measured up to then by the same `Memory`. Equal scenarios, seeds and rules give equal runs, to the last digit.

What is left out: the time a report takes to arrive, the broker's own limits, and states that have to be restored anew
on another machine.
"""

import enum
import heapq
import math
from array import array
from collections import deque
from dataclasses import dataclass, field
from random import Random

from workers.scaling.baselines import Rule
from workers.scaling.memory import Memory
from workers.scaling.scenario import OfferedMachines, Scenario, Wave
from workers.scaling.snapshot import Cohort, Machine, MachineState, Offer
from workers.scaling.workload import Workload, draw_workload
from workers.telemetry import Usage, bucket_of

COHORTS = 16
# Clouds bill by the second, and at least a minute.
MIN_BILLED_SECONDS = 60.0
# A rule that leaves work undone is stopped this long after the last arrival, and the result says so.
GIVE_UP_SECONDS = 6 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The fleet at one tick of the controller."""

    at_seconds: float
    queued: int
    running: int
    booting: int
    warm: int
    draining: int
    slots: int
    cost: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of one rule in one scenario. Shares are from 0 to 1, costs in the scenario's currency."""

    rule: str
    operations: int
    unfinished: int
    within_share: float  # of the operations: done within `clear_within_seconds` of being enqueued
    median_seconds: float  # from being enqueued to done
    p99_seconds: float
    max_seconds: float
    finished_at_seconds: float
    busy_share: float  # busy slots among the slots of machines that are up, while there was any work
    machine_hours: float
    cost: float
    launched: int
    peak_machines: int
    preempted: int
    redelivered: int  # deliveries that were interrupted and came again
    wasted_slot_seconds: float  # what those had cost until then
    samples: tuple[Sample, ...] = field(repr=False)


class _Event(enum.IntEnum):
    """Also the order of what happens at one instant."""

    DONE = 0
    READY = 1
    NOTICE = 2
    KILL = 3
    REDELIVER = 4
    WAVE = 5
    TICK = 6


class _Machine:
    __slots__ = ("end", "id", "launched", "offer", "ready", "ready_at", "running", "slots", "state")

    def __init__(self, number: int, offer: OfferedMachines, launched: float, ready_at: float) -> None:
        self.id = f"m{number:05d}"
        self.offer = offer
        self.slots = offer.slots
        self.launched = launched
        self.ready_at = ready_at
        self.ready = False
        self.state = MachineState.BOOTING
        self.running: dict[int, float] = {}  # operation → since when
        self.end: float | None = None

    @property
    def accepting(self) -> bool:
        return self.state is MachineState.WARM


def simulate(scenario: Scenario, rule: Rule, *, workload: Workload | None = None, seed: int | None = None) -> Run:
    """Try a rule. `workload` saves drawing it again where several rules are compared."""
    return _Simulation(scenario, rule, workload or draw_workload(scenario, seed=seed), seed).run()


class _Simulation:
    def __init__(self, scenario: Scenario, rule: Rule, workload: Workload, seed: int | None) -> None:
        seed = scenario.seed if seed is None else seed
        self.scenario = scenario
        self.rule = rule
        self.workload = workload
        self.boots = Random(f"{seed}/boots")  # noqa: S311 - a simulation
        self.lives = Random(f"{seed}/lives")  # noqa: S311 - a simulation
        self.victims = Random(f"{seed}/victims")  # noqa: S311 - a simulation
        self.memory = Memory()
        self.now = 0.0
        self.events: list[tuple[float, _Event, int, _Machine | None, object]] = []
        self.sequence = 0
        # Operations with numbers from `head` to `arrived` wait, after those in `again`.
        self.head = 0
        self.arrived = 0
        self.again: deque[int] = deque()
        self.redelivering = 0
        self.free: deque[_Machine] = deque()  # one entry a free slot, some of machines that no longer take work
        self.machines: dict[str, _Machine] = {}
        self.launched = 0
        self.finished = array("d", bytes(8 * len(workload)))
        self.done = 0
        self.last_done = 0.0
        self.buckets = bytes(bucket_of(seconds) for seconds in workload.seconds)
        self.waves: deque[Wave] = deque(sorted(scenario.waves, key=lambda wave: wave.at_seconds))
        # Since the last tick, by kind
        kinds = range(len(workload.kinds))
        self.completed = [0 for _ in kinds]
        self.ended_seconds = [0.0 for _ in kinds]
        self.busy_before = [0.0 for _ in kinds]
        self.durations: list[dict[int, int]] = [{} for _ in kinds]
        self.new_boots: list[float] = []
        self.new_preempted = 0
        # Integrals
        self.busy = 0
        self.slots = 0
        self.integrated_to = 0.0
        self.busy_seconds = 0.0
        self.slot_seconds = 0.0
        self.cost_ended = 0.0
        self.machine_seconds = 0.0
        self.peak = 0
        self.preempted = 0
        self.redelivered = 0
        self.wasted = 0.0
        self.samples: list[Sample] = []

    # -- the clock -----------------------------------------------------------------------------------------------

    def run(self) -> Run:
        for _ in range(max(self.scenario.warm_machines, self.rule.standing_machines)):
            self.launch(self.scenario.offers[0], boot_seconds=0.0)
        for wave in self.waves:
            self.at(wave.at_seconds, _Event.WAVE)
        self.at(0.0, _Event.TICK)
        arrivals, events = self.workload.arrived, self.events
        total = len(arrivals)
        while events:
            if self.arrived < total and arrivals[self.arrived] <= events[0][0]:
                self.advance(arrivals[self.arrived])
                self.arrived += 1
                self.feed()
                continue
            at, event, _, machine, payload = heapq.heappop(events)
            if event is _Event.DONE:
                # By far the most frequent: the clock moves, and what is integrated does not change if work waits.
                self.now = at
                self.complete(machine, payload)  # type: ignore[arg-type]
                continue
            self.advance(at)
            if event is _Event.TICK:
                self.tick()
                if self.is_over():
                    break
                self.at(at + self.scenario.decide_every_seconds, _Event.TICK)
            else:
                self.happen(event, machine, payload)
        return self.result()

    def at(self, when: float, event: _Event, machine: _Machine | None = None, payload: object = None) -> None:
        self.sequence += 1
        heapq.heappush(self.events, (when, event, self.sequence, machine, payload))

    def advance(self, now: float) -> None:
        """Integrate what was true since the last change of busy slots or slots."""
        self.now = now
        elapsed = now - self.integrated_to
        if elapsed > 0:
            if self.busy:
                self.busy_seconds += self.busy * elapsed
                self.slot_seconds += self.slots * elapsed
            self.integrated_to = now

    def is_over(self) -> bool:
        if self.arrived < len(self.workload):
            return False
        last = max(self.last_done, self.workload.arrived[-1] if len(self.workload) else 0.0)
        if self.done == len(self.workload):
            return self.now >= last + self.scenario.quiet_seconds
        return self.now >= self.workload.arrived[-1] + GIVE_UP_SECONDS

    # -- operations ----------------------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        return len(self.again) + self.arrived - self.head

    def take(self) -> int | None:
        if self.again:
            return self.again.popleft()
        if self.head < self.arrived:
            self.head += 1
            return self.head - 1
        return None

    def feed(self) -> None:
        """Give waiting operations to free slots: the slot that waited longest first, as brokers do."""
        while self.free and self.queued:
            machine = self.free.popleft()
            if machine.accepting and machine.end is None:
                operation = self.take()
                if operation is not None:
                    self.busy += 1
                    self.start(machine, operation)

    def start(self, machine: _Machine, operation: int) -> None:
        machine.running[operation] = self.now
        self.sequence += 1
        ends = self.now + self.workload.seconds[operation]
        heapq.heappush(self.events, (ends, _Event.DONE, self.sequence, machine, operation))

    def complete(self, machine: _Machine, operation: int) -> None:
        started = machine.running.get(operation)
        # Interrupted, and perhaps begun again here in the meantime: then this end is the old run's.
        if started is None or started + self.workload.seconds[operation] != self.now:
            return
        del machine.running[operation]
        kind = self.workload.kind[operation]
        bucket = self.buckets[operation]
        self.completed[kind] += 1
        self.ended_seconds[kind] += self.now - started
        self.durations[kind][bucket] = self.durations[kind].get(bucket, 0) + 1
        self.finished[operation] = self.now
        self.done += 1
        self.last_done = self.now
        following = self.take() if machine.accepting else None
        if following is not None:
            self.start(machine, following)
            return
        self.advance(self.now)
        self.busy -= 1
        if machine.accepting:
            self.free.append(machine)

    def interrupt(self, machine: _Machine, *, delay_seconds: float) -> None:
        """What runs there is stopped, and delivered again after a while."""
        operations = list(machine.running)
        for operation, started in machine.running.items():
            self.wasted += self.now - started
            self.ended_seconds[self.workload.kind[operation]] += self.now - started
        self.redelivered += len(operations)
        self.busy -= len(operations)
        machine.running.clear()
        if operations:
            self.redelivering += len(operations)
            self.at(self.now + delay_seconds, _Event.REDELIVER, payload=operations)

    def redeliver(self, operations: list[int]) -> None:
        self.redelivering -= len(operations)
        self.again.extend(operations)
        self.feed()

    # -- machines ------------------------------------------------------------------------------------------------

    def happen(self, event: _Event, machine: _Machine | None, payload: object) -> None:
        if event is _Event.WAVE:
            self.strike(self.waves.popleft())
        elif event is _Event.REDELIVER:
            self.redeliver(payload)  # type: ignore[arg-type]
        elif machine is None or machine.end is not None:
            return
        elif event is _Event.READY:
            self.ready(machine)
        elif event is _Event.NOTICE:
            self.preempt(machine, payload)  # type: ignore[arg-type]
        elif event is _Event.KILL:
            self.end(machine, delay_seconds=payload)  # type: ignore[arg-type]

    def launch(self, offer: OfferedMachines, *, boot_seconds: float) -> None:
        self.launched += 1
        machine = _Machine(self.launched, offer, self.now, self.now + boot_seconds)
        self.machines[machine.id] = machine
        self.peak = max(self.peak, len(self.machines))
        self.at(self.now + boot_seconds, _Event.READY, machine)
        rate = self.scenario.preemptions_per_machine_hour
        if rate > 0:
            lives = self.lives.expovariate(rate) * 3600
            self.at(self.now + lives, _Event.NOTICE, machine, self.scenario.notice_seconds)

    def ready(self, machine: _Machine) -> None:
        self.slots += machine.slots
        machine.ready = True
        if machine.launched < self.now:
            self.new_boots.append(self.now - machine.launched)
        if machine.state is MachineState.BOOTING:
            machine.state = MachineState.WARM
            self.free.extend([machine] * machine.slots)
            self.feed()

    def preempt(self, machine: _Machine, notice_seconds: float) -> None:
        self.preempted += 1
        self.new_preempted += 1
        if notice_seconds <= 0:
            self.end(machine, delay_seconds=self.scenario.redelivery_seconds)
            return
        # The worker stops taking work at once, and hands back at the end what does not fit into the notice.
        machine.state = MachineState.DRAINING
        self.at(self.now + notice_seconds, _Event.KILL, machine, 0.0)

    def strike(self, wave: Wave) -> None:
        alive = sorted(self.machines.values(), key=lambda machine: machine.id)
        for machine in self.victims.sample(alive, round(wave.share * len(alive))):
            self.preempt(machine, wave.notice_seconds)

    def drain(self, machine: _Machine) -> None:
        if machine.state is MachineState.DRAINING:
            return
        machine.state = MachineState.DRAINING
        if self.rule.grace_seconds is not None:
            self.at(self.now + self.rule.grace_seconds, _Event.KILL, machine, 0.0)

    def end(self, machine: _Machine, *, delay_seconds: float) -> None:
        self.interrupt(machine, delay_seconds=delay_seconds)
        if machine.ready:
            self.slots -= machine.slots
        machine.end = self.now
        del self.machines[machine.id]
        self.cost_ended += self.price(machine)
        self.machine_seconds += self.now - machine.launched

    def price(self, machine: _Machine) -> float:
        seconds = max(self.now - machine.launched, MIN_BILLED_SECONDS)
        return machine.offer.price_per_hour * seconds / 3600

    # -- the controller ------------------------------------------------------------------------------------------

    def tick(self) -> None:
        now = self.now
        self.memory.observe(
            now,
            waiting=self.queued + self.in_flight(),
            usage=self.usage(),
            machines=len(self.machines),
            preempted=self.new_preempted,
            boots=self.new_boots,
        )
        self.new_preempted = 0
        self.new_boots = []
        snapshot = self.memory.snapshot(
            now,
            queue=self.cohorts(),
            in_flight=self.in_flight(),
            machines=tuple(self.view(machine) for machine in self.machines.values()),
            offers=[
                Offer(name=each.name, slots=each.slots, price_per_hour=each.price_per_hour, quota=each.quota)
                for each in self.scenario.offers
            ],
            assumed_boot_seconds=self.scenario.assumed_boot_seconds,
        )
        self.sample()
        decision = self.rule.decide(now, snapshot, busy_share=self.busy / self.slots if self.slots else 0.0)
        self.memory.decided(now, decision)
        for name, count in decision.launch.items():
            self.request(name, count)
        for machine_id in decision.drain:
            self.drain(self.machines[machine_id])
        for machine_id in decision.terminate:
            self.end(self.machines[machine_id], delay_seconds=0.0)

    def in_flight(self) -> int:
        return self.busy + self.redelivering

    def request(self, name: str, count: int) -> None:
        offer = next(each for each in self.scenario.offers if each.name == name)
        for drought in self.scenario.droughts:
            if drought.from_seconds <= self.now < drought.until_seconds and name in (drought.offers or (name,)):
                self.memory.refused(self.now, name)
                return
        self.memory.granted(name)
        for _ in range(count):
            self.launch(offer, boot_seconds=max(self.scenario.boot.draw(self.boots), 0.0))

    def view(self, machine: _Machine) -> Machine:
        state = machine.state
        if state is MachineState.DRAINING and machine.ready and not machine.running:
            state = MachineState.DRAINED
        expected = self.memory.boot_seconds(self.scenario.assumed_boot_seconds)
        return Machine(
            id=machine.id,
            offer=machine.offer.name,
            state=state,
            slots=machine.slots,
            in_flight=len(machine.running),
            ready_in_seconds=0.0 if machine.ready else max(machine.launched + expected - self.now, 0.0),
        )

    def usage(self) -> dict[str, Usage]:
        """What was done since the last tick."""
        busy = list(self.ended_seconds)
        for machine in self.machines.values():
            for operation, started in machine.running.items():
                busy[self.workload.kind[operation]] += self.now - started
        usage = {
            name: Usage(
                completed=self.completed[kind],
                busy_seconds=busy[kind] - self.busy_before[kind],
                durations=self.durations[kind],
            )
            for kind, name in enumerate(self.workload.kinds)
        }
        self.busy_before = busy
        self.completed = [0 for _ in busy]
        self.durations = [{} for _ in busy]
        return usage

    def cohorts(self) -> tuple[Cohort, ...]:
        kinds = self.workload.kinds
        cohorts = []
        if self.again:
            which = bytes(self.workload.kind[operation] for operation in self.again)
            oldest = min(self.workload.arrived[operation] for operation in self.again)
            cohorts.append((which, oldest))
        step = max(math.ceil((self.arrived - self.head) / COHORTS), 1)
        for first in range(self.head, self.arrived, step):
            which = self.workload.kind[first : min(first + step, self.arrived)]
            cohorts.append((which, self.workload.arrived[first]))
        return tuple(
            Cohort(
                operations={name: count for kind, name in enumerate(kinds) if (count := which.count(kind))},
                age_seconds=self.now - oldest,
            )
            for which, oldest in cohorts
        )

    def sample(self) -> None:
        states = [machine.state for machine in self.machines.values()]
        self.samples.append(
            Sample(
                at_seconds=self.now,
                queued=self.queued,
                running=self.busy,
                booting=states.count(MachineState.BOOTING),
                warm=states.count(MachineState.WARM),
                draining=states.count(MachineState.DRAINING),
                slots=self.slots,
                cost=self.cost_ended + sum(self.price(machine) for machine in self.machines.values()),
            )
        )

    def result(self) -> Run:
        for machine in list(self.machines.values()):
            self.end(machine, delay_seconds=0.0)
        waited = sorted(
            finished - arrived
            for finished, arrived in zip(self.finished, self.workload.arrived, strict=True)
            if finished > 0
        )
        within = self.scenario.policy.clear_within_seconds
        total = len(self.workload)
        return Run(
            rule=self.rule.name,
            operations=total,
            unfinished=total - self.done,
            within_share=sum(seconds <= within for seconds in waited) / total if total else 1.0,
            median_seconds=_quantile(waited, 0.5),
            p99_seconds=_quantile(waited, 0.99),
            max_seconds=waited[-1] if waited else 0.0,
            finished_at_seconds=self.last_done,
            busy_share=self.busy_seconds / self.slot_seconds if self.slot_seconds else 1.0,
            machine_hours=self.machine_seconds / 3600,
            cost=self.cost_ended,
            launched=self.launched,
            peak_machines=self.peak,
            preempted=self.preempted,
            redelivered=self.redelivered,
            wasted_slot_seconds=self.wasted,
            samples=tuple(self.samples),
        )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0
