"""All that the policy may know, in one frozen value, so that equal snapshots always give equal decisions."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """How long one kind of operation occupies a slot, as measured on the fleet; old measurements count for less.

    `busy_seconds` are all slot-seconds spent on it, operations that still run included, so that long ones are not
    missing only because they have not ended. `tail_seconds` is the 99th percentile of those that ended, `durations`
    how many of them took how many seconds.
    """

    completed: float
    busy_seconds: float
    tail_seconds: float
    durations: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """A stretch of the queue: operations by kind, and how long the oldest of them has waited."""

    operations: Mapping[str, float]
    age_seconds: float


class MachineState(enum.StrEnum):
    BOOTING = "booting"  # paid for, and not taking work yet
    WARM = "warm"
    DRAINING = "draining"  # takes no more work, may hold some
    DRAINED = "drained"  # its workers said so themselves: holds nothing, takes nothing
    LOST = "lost"  # the provider has it, its workers are silent: whatever it held is being delivered again


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """`ready_in_seconds` is for booting machines: when its slots will probably take work."""

    id: str
    offer: str
    state: MachineState
    slots: int
    in_flight: int = 0
    ready_in_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A kind of machine that can be had: an instance type in a zone, say.

    `quota` is how many may exist at once. `blocked_seconds` is positive while nothing should be asked of it, because
    it refused a short time ago.
    """

    name: str
    slots: int
    price_per_hour: float
    quota: int
    blocked_seconds: float = 0.0

    @property
    def price_per_slot_hour(self) -> float:
        return self.price_per_hour / self.slots


@dataclass(frozen=True, kw_only=True, slots=True)
class Want:
    """How many machines an earlier decision would have been content with."""

    age_seconds: float
    machines: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """One look at queue, fleet and market.

    `queue` is in order, oldest first. `in_flight` counts deliveries that are taken and not acknowledged, on whatever
    machine, also on one that is gone. `arrivals_per_second` are rates in equal windows of time, oldest first.
    `boot_seconds` is how long a machine takes from the request until its slots take work.
    """

    queue: tuple[Cohort, ...] = ()
    in_flight: int = 0
    services: Mapping[str, Service] = field(default_factory=dict)
    arrivals_per_second: tuple[float, ...] = ()
    machines: tuple[Machine, ...] = ()
    offers: tuple[Offer, ...] = ()
    boot_seconds: float
    preemptions_per_machine_hour: float = 0.0
    wants: tuple[Want, ...] = ()

    @property
    def queued(self) -> float:
        return sum(sum(cohort.operations.values()) for cohort in self.queue)
