"""How many machines the fleet should have now: one pure function, from a snapshot to a decision with its reasons.

Three questions are asked in this order, and docs/scaling.md derives the formulae:

1. *Need*: how many new slots bring every waiting operation home in time, beside carrying what keeps arriving?
2. *Use*: how many of them would find work for long enough to be worth their boot?
3. *Idle*: if nothing is needed, how many machines could go without one being wanted back at once?

The answers to 1 and 3 come from the same inequality, therefore a decision that was carried out never calls for its own
opposite. Nothing here knows a clock, a provider or a broker.
"""

import bisect
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from workers.scaling.snapshot import Machine, MachineState, Offer, Service, Snapshot
from workers.scaling.stragglers import idle_seconds

# The rest of the time is for what no plan knows: reports on their way, the time between two decisions, slow boots.
PLANNED_SHARE = 0.95


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator decides. Everything else is measured."""

    # Every operation should be done this long after it was enqueued.
    clear_within_seconds: float = 600.0
    # Machines are given back only while fewer of the slots than this are busy.
    busy_share: float = 0.9
    min_machines: int = 0
    max_machines: int = 100
    # What an operation is taken to last before any was measured, and how many measured ones weigh as much. Too low
    # costs one more boot time until the measured value is acted upon; too high costs machines that are not needed.
    assumed_service_seconds: float = 0.1
    assumed_samples: float = 5.0
    # A machine is not started for less work than this, unless there is no other.
    useful_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.busy_share <= 1:
            raise ValueError(f"busy_share must be above 0 and at most 1, not {self.busy_share}")
        if not 0 <= self.min_machines <= self.max_machines:
            raise ValueError(f"min_machines ({self.min_machines}) must be from 0 to max_machines ({self.max_machines})")
        for name in ("clear_within_seconds", "assumed_service_seconds", "assumed_samples", "useful_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, not {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do now. At most one of `launch` and `drain` is not empty.

    `terminate` names machines that hold nothing; they may be ended at once. `machines` is how many there will be that
    take work, booting ones included. `wanted` belongs into the next snapshots' `wants`.
    """

    launch: Mapping[str, int]
    drain: tuple[str, ...]
    terminate: tuple[str, ...]
    machines: int
    wanted: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Demand:
    """Slot-seconds `work` are due in `due_seconds`."""

    work: float
    due_seconds: float


@dataclass(frozen=True, slots=True)
class _Gap:
    """New slots that one demand needs in time, and new slots that would find work for long enough."""

    needed: float
    useful: float


@dataclass(frozen=True, slots=True)
class _Outlook:
    """The snapshot, digested into slot-seconds."""

    demands: tuple[_Demand, ...]  # cumulative, oldest first; never empty
    arriving: float  # slot-seconds that arrive in a second
    available: float  # share of its time that a machine is not lost to preemption
    operations: float  # queued and in flight: more slots than these can never be busy

    @property
    def work(self) -> float:
        return self.demands[-1].work


def decide(snapshot: Snapshot, settings: PolicySettings) -> Decision:
    """Say what to launch, drain and terminate, and why.

    Machines in state DRAINING never come back; a machine that may hold work is drained and never terminated.
    """
    fleet = sorted(
        (machine for machine in snapshot.machines if machine.state in (MachineState.BOOTING, MachineState.WARM)),
        key=_keeping_order(snapshot.offers),
    )
    outlook = _outlook(snapshot, settings, fleet)
    reasons = [_describe(snapshot, outlook, fleet)]
    terminate = tuple(
        machine.id for machine in snapshot.machines if machine.state in (MachineState.DRAINED, MachineState.LOST)
    )
    reasons.extend(
        f"{machine.id} is silent: end it, its work is delivered again"
        for machine in snapshot.machines
        if machine.state is MachineState.LOST
    )

    launch = _launches(snapshot, settings, outlook, fleet, reasons)
    if launch:
        machines = len(fleet) + sum(launch.values())
        return Decision(
            launch=launch, drain=(), terminate=terminate, machines=machines, wanted=machines, reasons=tuple(reasons)
        )
    wanted = _wanted(snapshot, settings, outlook, fleet)
    keep = min(len(fleet), max(wanted, _held(snapshot, settings, fleet)))
    # An operator's new maximum holds at once; the rest waits until it has been true for a while.
    keep = min(keep, settings.max_machines)
    drain = tuple(machine.id for machine in fleet[keep:])
    if drain:
        reasons.append(f"drain {len(drain)} of {len(fleet)}: {keep} carry what is there and what arrives")
    elif wanted < len(fleet):
        reasons.append(
            f"{len(fleet) - wanted} could go, if that stays true for {_hold_seconds(snapshot, settings):.0f} s"
        )
    return Decision(
        launch={}, drain=drain, terminate=terminate, machines=keep, wanted=min(wanted, keep), reasons=tuple(reasons)
    )


def _outlook(snapshot: Snapshot, settings: PolicySettings, fleet: Sequence[Machine]) -> _Outlook:
    means = {kind: _mean_seconds([service], settings) for kind, service in snapshot.services.items()}
    typical = _mean_seconds(snapshot.services.values(), settings)
    # What draining machines hold, they finish by themselves; what nobody holds any more is delivered again.
    held = sum(machine.in_flight for machine in snapshot.machines if machine.state is not MachineState.LOST)
    orphaned = max(snapshot.in_flight - held, 0)
    # The broker's total is of this moment, the workers' reports may be some seconds old.
    in_flight = min(sum(machine.in_flight for machine in fleet) + orphaned, snapshot.in_flight)
    arriving = _arrivals_per_second(snapshot.arrivals_per_second) * typical

    # The last operation to start may be a long one: it has to start that much before the time is up.
    tail = _tail_seconds(snapshot, settings)
    shortest = snapshot.boot_seconds + settings.useful_seconds
    work = in_flight * typical
    demands = []
    for cohort in snapshot.queue:
        work += sum(count * means.get(kind, typical) for kind, count in cohort.operations.items())
        due = PLANNED_SHARE * settings.clear_within_seconds - cohort.age_seconds - tail
        # What is late already is due as soon as a new machine can have done something for it.
        demands.append(_Demand(work, max(due, shortest)))
    if not demands:
        demands.append(_Demand(work, max(PLANNED_SHARE * settings.clear_within_seconds - tail, shortest)))
    preemptions_per_second = snapshot.preemptions_per_machine_hour / 3600
    return _Outlook(
        demands=tuple(demands),
        arriving=arriving,
        # Each preemption costs a boot and, on average, an operation's time that is run again.
        available=1 / (1 + preemptions_per_second * (snapshot.boot_seconds + typical)),
        operations=snapshot.queued + in_flight,
    )


def _mean_seconds(services: Iterable[Service], settings: PolicySettings) -> float:
    """Slot-seconds per completion, as if `assumed_samples` operations of the assumed length had been measured too.

    With exponential times and a gamma prior this is the Bayesian estimate, and running operations enter it rightly.
    """
    busy_seconds = settings.assumed_service_seconds * settings.assumed_samples
    completed = settings.assumed_samples
    for service in services:
        busy_seconds += service.busy_seconds
        completed += service.completed
    return busy_seconds / completed


def _tail_seconds(snapshot: Snapshot, settings: PolicySettings) -> float:
    """The longest tail of the kinds that wait; never more than half of the time that a new machine has."""
    waiting = {kind for cohort in snapshot.queue for kind, count in cohort.operations.items() if count > 0}
    tails = [service.tail_seconds for kind, service in snapshot.services.items() if kind in waiting]
    half = (settings.clear_within_seconds - snapshot.boot_seconds) / 2
    return max(min(max(tails, default=0.0), half), 0.0)


def _arrivals_per_second(rates: Sequence[float]) -> float:
    """A careful guess of what will go on arriving.

    The mean without the highest quarter of the windows, so that a burst is backlog and not a forecast; and no more
    than the mean of the last sixth, so that an end is believed soon.
    """
    lasting = sorted(rates)[: len(rates) - math.ceil(len(rates) / 4)]
    if not lasting:
        return 0.0
    latest = rates[-math.ceil(len(rates) / 6) :]
    return min(sum(lasting) / len(lasting), sum(latest) / len(latest))


def _oldest_seconds(snapshot: Snapshot) -> float:
    return max((cohort.age_seconds for cohort in snapshot.queue), default=0.0)


def _capacity(machines: Iterable[Machine], seconds: float) -> float:
    """Slot-seconds that these machines give in the next `seconds`."""
    return sum(machine.slots * max(seconds - machine.ready_in_seconds, 0.0) for machine in machines)


def _gaps(outlook: _Outlook, fleet: Sequence[Machine], snapshot: Snapshot, settings: PolicySettings) -> list[_Gap]:
    """What is missing for each demand. More work and fewer machines never make any of it smaller."""
    boot = snapshot.boot_seconds
    gaps = []
    for demand in outlook.demands:
        due = demand.due_seconds
        required = (demand.work + outlook.arriving * due) / outlook.available
        needed = (required - _capacity(fleet, due)) / (due - boot)
        # Half of the time that it has for this demand; filled by what the whole queue, not this demand alone, leaves.
        span = max(settings.useful_seconds, (due - boot) / 2)
        left = outlook.work + outlook.arriving * (boot + span) - _capacity(fleet, boot + span)
        gaps.append(_Gap(max(needed, 0.0), max(left / span, 0.0)))
    return gaps


def _new_machines(gaps: Iterable[_Gap], slots: int, soon: float) -> int:
    """How many machines of so many slots fill the gaps, as far as each finds enough to do.

    `soon` is how many operations there will be without a slot. The 1e-9 keeps sums of floats that are a whole machine's
    worth from being rounded to the next one.
    """
    return max(
        min(math.ceil(min(gap.needed, soon) / slots - 1e-9), math.floor(gap.useful / slots + 1e-9)) for gap in gaps
    )


def _launches(
    snapshot: Snapshot, settings: PolicySettings, outlook: _Outlook, fleet: Sequence[Machine], reasons: list[str]
) -> dict[str, int]:
    gaps = _gaps(outlook, fleet, snapshot, settings)
    soon = _operations_soon(snapshot, outlook) - sum(machine.slots for machine in fleet)
    least = _least_new(snapshot, settings, outlook, fleet, reasons)
    alive = [machine.offer for machine in snapshot.machines if machine.state is not MachineState.LOST]
    room = settings.max_machines - len(alive)
    launch: dict[str, int] = {}
    for offer in sorted(snapshot.offers, key=_buying_order(snapshot, settings, gaps, room)):
        count = max(_new_machines(gaps, offer.slots, soon), least)
        if count <= 0:
            continue  # a smaller machine may find enough to do where this one would not
        if offer.blocked_seconds > 0:
            reasons.append(f"{offer.name} refused of late: not asked for {offer.blocked_seconds:.0f} s more")
            continue
        quota = offer.quota - alive.count(offer.name)
        granted = max(min(count, quota, room), 0)
        if granted < count:
            limit = "max_machines" if room < quota else f"the quota of {offer.name}"
            reasons.append(f"{limit} allows {granted} of {count}")
        if granted:
            launch[offer.name] = granted
            slots = granted * offer.slots
            room, least, soon = room - granted, least - granted, soon - slots
            gaps = [_Gap(gap.needed - slots, gap.useful - slots) for gap in gaps]
    if launch:
        reasons.append("launch " + ", ".join(f"{count} {name}" for name, count in launch.items()))
    return launch


def _buying_order(
    snapshot: Snapshot, settings: PolicySettings, gaps: Iterable[_Gap], room: int
) -> Callable[[Offer], tuple[int, float, int, str]]:
    """The cheapest slot first, with the idle time in its price that stragglers make on a machine of that size.

    Offers of machines so small that `room` of them are too few come after the others, the largest first: it is the
    number of machines that is short then. Of equal prices the smaller machine: a preemption takes less with it.
    """
    durations: Counter[float] = Counter()
    for service in snapshot.services.values():
        durations.update(service.durations)
    needed = max(gap.needed for gap in gaps)
    lasting = max(settings.clear_within_seconds - snapshot.boot_seconds, settings.useful_seconds)
    idle_shares = {slots: idle_seconds(durations, slots) / lasting for slots in {o.slots for o in snapshot.offers}}

    def order(offer: Offer) -> tuple[int, float, int, str]:
        price = offer.price_per_slot_hour * (1 + idle_shares[offer.slots])
        # Sizes from above, those that suffice being all of one rank before them.
        rank = -offer.slots if needed > room * offer.slots else -sys.maxsize
        return (rank, price, offer.slots, offer.name)

    return order


def _operations_soon(snapshot: Snapshot, outlook: _Outlook) -> float:
    """Operations that will be there to run when a new machine is: more slots than that would stand idle."""
    return outlook.operations + _arrivals_per_second(snapshot.arrivals_per_second) * snapshot.boot_seconds


def _least_new(
    snapshot: Snapshot, settings: PolicySettings, outlook: _Outlook, fleet: Sequence[Machine], reasons: list[str]
) -> int:
    """Machines to launch whatever the arithmetic says."""
    if len(fleet) < settings.min_machines:
        reasons.append(f"min_machines asks for {settings.min_machines}")
        return settings.min_machines - len(fleet)
    if not fleet and outlook.operations > 0:
        return 1
    oldest = _oldest_seconds(snapshot)
    if oldest <= settings.clear_within_seconds or any(machine.state is MachineState.BOOTING for machine in fleet):
        return 0
    if any(machine.in_flight < machine.slots for machine in fleet):
        # More of the same would not help, and a queue that nobody reads must not buy the whole quota.
        reasons.append(f"the oldest operation has waited {oldest:.0f} s beside free slots: look at the workers")
        return 0
    # The slots are full, and not done as soon as calculated: one machine more at a time, until it is over.
    reasons.append(f"the oldest operation has waited {oldest:.0f} s")
    return 1


def _wanted(snapshot: Snapshot, settings: PolicySettings, outlook: _Outlook, fleet: Sequence[Machine]) -> int:
    """The fewest machines of `fleet`, from its beginning, after which no launch would follow."""
    slots = sum(machine.slots for machine in fleet)
    if outlook.operations >= settings.busy_share * slots or _oldest_seconds(snapshot) > settings.clear_within_seconds:
        return len(fleet)
    alive = outlook.operations > 0 or any(rate > 0 for rate in snapshot.arrivals_per_second)
    least = max(settings.min_machines, int(alive))
    # Of the smallest machines, so that none of any size would be launched.
    smallest = min((offer.slots for offer in snapshot.offers), default=1)

    def suffices(count: int) -> bool:
        soon = _operations_soon(snapshot, outlook) - sum(machine.slots for machine in fleet[:count])
        return _new_machines(_gaps(outlook, fleet[:count], snapshot, settings), smallest, soon) <= 0

    # More machines never need more: the first that suffices is found by halving.
    return bisect.bisect_left(range(len(fleet)), 1, lo=min(least, len(fleet)), key=lambda count: int(suffices(count)))


def _hold_seconds(snapshot: Snapshot, settings: PolicySettings) -> float:
    """How long an idle machine is kept: no longer than the boot that it saves, nor than the busy share can bear.

    Half of the idle time that `busy_share` allows in one clearing is for this; the other half is for stragglers.
    """
    return min(snapshot.boot_seconds, (1 - settings.busy_share) * settings.clear_within_seconds / 2)


def _held(snapshot: Snapshot, settings: PolicySettings, fleet: Sequence[Machine]) -> int:
    """The most machines that were wanted while an idle one is kept; all of them while nothing so old is known."""
    hold = _hold_seconds(snapshot, settings)
    if not any(want.age_seconds >= hold for want in snapshot.wants):
        return len(fleet)
    return max((want.machines for want in snapshot.wants if want.age_seconds < hold), default=0)


def _keeping_order(offers: Sequence[Offer]) -> Callable[[Machine], tuple[bool, float, int, float, str]]:
    """Who stays first: machines that take work, the busiest, the cheapest. The rest only makes the order total."""
    prices = {offer.name: offer.price_per_slot_hour for offer in offers}

    def order(machine: Machine) -> tuple[bool, float, int, float, str]:
        return (
            machine.state is MachineState.BOOTING,
            machine.ready_in_seconds,
            -machine.in_flight,
            prices.get(machine.offer, math.inf),
            machine.id,
        )

    return order


def _describe(snapshot: Snapshot, outlook: _Outlook, fleet: Sequence[Machine]) -> str:
    booting = sum(machine.state is MachineState.BOOTING for machine in fleet)
    text = f"{snapshot.queued:,.0f} queued ({_oldest_seconds(snapshot):.0f} s old), {snapshot.in_flight:,} in flight"
    text += f" = {outlook.work:,.0f} slot-seconds, {outlook.arriving:.2f} more a second"
    return f"{text}; {len(fleet) - booting} machines warm, {booting} booting"
