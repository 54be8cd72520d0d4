"""What the controller tells Prometheus."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

from workers.scaling.policy import Decision
from workers.scaling.snapshot import MachineState, Snapshot

LOOKED = "leanfleet_autoscale_looked_timestamp_seconds"


class Seen(NamedTuple):
    """What the controller saw last. `looked_at` is unix time, 0 before the first look."""

    looked_at: float
    failed_steps: float
    queued: float
    oldest_seconds: float
    warm_machines: float


class Metrics:
    """One controller's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._leader = Gauge("leanfleet_autoscale_leader", "1 while this controller leads", registry=self.registry)
        self._looked = Gauge(LOOKED, "When it last reached the broker, leading or not", registry=self.registry)
        self._decided = Gauge(
            "leanfleet_autoscale_decided_timestamp_seconds", "When it last decided", registry=self.registry
        )
        self._queued = Gauge("leanfleet_autoscale_queued_operations", "Operations waiting", registry=self.registry)
        self._oldest = Gauge(
            "leanfleet_autoscale_oldest_operation_seconds", "How long the oldest has waited", registry=self.registry
        )
        self._in_flight = Gauge(
            "leanfleet_autoscale_in_flight_operations", "Deliveries not acknowledged", registry=self.registry
        )
        self._machines = Gauge("leanfleet_autoscale_machines", "Machines by state", ["state"], registry=self.registry)
        self._slots = Gauge("leanfleet_autoscale_slots", "REPLs of warm machines", registry=self.registry)
        self._busy = Gauge("leanfleet_autoscale_busy_slots", "REPLs of warm machines at work", registry=self.registry)
        self._wanted = Gauge("leanfleet_autoscale_wanted_machines", "Machines wanted", registry=self.registry)
        self._boot = Gauge("leanfleet_autoscale_boot_seconds", "The boot that is planned with", registry=self.registry)
        self._blocked = Gauge(
            "leanfleet_autoscale_offer_blocked", "1 while an offer is not asked", ["offer"], registry=self.registry
        )
        self._launched = Counter(
            "leanfleet_autoscale_launched_machines", "Machines asked for", ["offer"], registry=self.registry
        )
        self._refused = Counter("leanfleet_autoscale_refusals", "Refusals", ["offer"], registry=self.registry)
        self._drained = Counter("leanfleet_autoscale_drained_machines", "Machines drained", registry=self.registry)
        self._terminated = Counter("leanfleet_autoscale_terminated_machines", "Machines ended", registry=self.registry)
        self._lost = Counter("leanfleet_autoscale_preempted_machines", "Machines taken away", registry=self.registry)
        self._failed = Counter("leanfleet_autoscale_failed_steps", "Steps that saw nothing", registry=self.registry)

    def leads(self, leads: bool) -> None:
        self._leader.set(leads)
        self._looked.set_to_current_time()

    def decided(self, snapshot: Snapshot, decision: Decision) -> None:
        self._decided.set_to_current_time()
        self._queued.set(snapshot.queued)
        self._oldest.set(max((cohort.age_seconds for cohort in snapshot.queue), default=0.0))
        self._in_flight.set(snapshot.in_flight)
        for state in MachineState:
            self._machines.labels(state).set(sum(machine.state is state for machine in snapshot.machines))
        warm = [machine for machine in snapshot.machines if machine.state is MachineState.WARM]
        self._slots.set(sum(machine.slots for machine in warm))
        self._busy.set(sum(min(machine.in_flight, machine.slots) for machine in warm))
        self._wanted.set(decision.machines)
        self._boot.set(snapshot.boot_seconds)
        for offer in snapshot.offers:
            self._blocked.labels(offer.name).set(offer.blocked_seconds > 0)

    def launched(self, offer: str, machines: int) -> None:
        self._launched.labels(offer).inc(machines)

    def refused(self, offer: str) -> None:
        self._refused.labels(offer).inc()

    def drained(self, machines: int) -> None:
        self._drained.inc(machines)

    def terminated(self, machines: int) -> None:
        self._terminated.inc(machines)

    def lost(self, machines: int) -> None:
        self._lost.inc(machines)

    def failed(self) -> None:
        self._failed.inc()

    def seen(self) -> Seen:
        """For those who do not scrape."""

        def value(name: str, **labels: str) -> float:
            return self.registry.get_sample_value(name, labels) or 0.0

        return Seen(
            looked_at=value(LOOKED),
            failed_steps=value("leanfleet_autoscale_failed_steps_total"),
            queued=value("leanfleet_autoscale_queued_operations"),
            oldest_seconds=value("leanfleet_autoscale_oldest_operation_seconds"),
            warm_machines=value("leanfleet_autoscale_machines", state=MachineState.WARM),
        )
