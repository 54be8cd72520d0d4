"""Snapshots for tests: plain ones by name, arbitrary ones by hypothesis."""

from dataclasses import replace

from hypothesis import strategies as st

from workers.scaling.policy import Decision, PolicySettings
from workers.scaling.snapshot import Cohort, Machine, MachineState, Offer, Service, Snapshot, Want

KINDS = ("run_code", "run_tactics")
OFFER = Offer(name="spot", slots=8, price_per_hour=0.16, quota=1000)
# Idle machines have been idle for long enough: nothing is held back.
LONG_IDLE = (Want(age_seconds=10_000, machines=0),)

seconds = st.floats(min_value=0.001, max_value=500)

services = st.dictionaries(
    st.sampled_from(KINDS),
    st.builds(
        Service,
        completed=st.floats(min_value=0, max_value=1e6),
        busy_seconds=st.floats(min_value=0, max_value=1e6),
        tail_seconds=st.floats(min_value=0, max_value=1000),
        durations=st.dictionaries(seconds, st.floats(min_value=0, max_value=1e6), max_size=4),
    ),
)

cohorts = st.lists(
    st.builds(
        Cohort,
        operations=st.dictionaries(st.sampled_from(KINDS), st.integers(1, 300_000).map(float), min_size=1),
        age_seconds=st.floats(min_value=0, max_value=2000),
    ),
    max_size=5,
).map(lambda found: tuple(sorted(found, key=lambda cohort: -cohort.age_seconds)))


@st.composite
def machines(draw: st.DrawFn, offers: tuple[Offer, ...], boot_seconds: float) -> tuple[Machine, ...]:
    """No machine is expected later than one that would be asked for now."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        offer = draw(st.sampled_from(offers))
        state = draw(st.sampled_from(MachineState))
        holds = state in (MachineState.WARM, MachineState.DRAINING, MachineState.LOST)
        found.append(
            Machine(
                id=f"m{number}",
                offer=offer.name,
                state=state,
                slots=offer.slots,
                in_flight=draw(st.integers(0, offer.slots)) if holds else 0,
                ready_in_seconds=draw(st.floats(0, boot_seconds)) if state is MachineState.BOOTING else 0.0,
            )
        )
    return tuple(found)


@st.composite
def snapshots(draw: st.DrawFn, *, idle: bool = False) -> Snapshot:
    offers = tuple(
        Offer(
            name=name,
            slots=draw(st.integers(1, 64)),
            price_per_hour=draw(st.floats(0.01, 5)),
            quota=draw(st.integers(0, 200)),
            blocked_seconds=draw(st.sampled_from([0.0, 0.0, 60.0])),
        )
        for name in draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")]))
    )
    boot_seconds = draw(st.floats(min_value=1, max_value=400))
    fleet = draw(machines(offers, boot_seconds))
    return Snapshot(
        queue=() if idle else draw(cohorts),
        in_flight=sum(machine.in_flight for machine in fleet) + draw(st.integers(0, 50)),
        services=draw(services),
        arrivals_per_second=tuple(draw(st.lists(st.floats(0, 500), max_size=20))),
        machines=fleet,
        offers=offers,
        boot_seconds=boot_seconds,
        preemptions_per_machine_hour=draw(st.floats(0, 5)),
        wants=LONG_IDLE if idle else draw(st.sampled_from([(), LONG_IDLE])),
    )


@st.composite
def settings(draw: st.DrawFn) -> PolicySettings:
    least = draw(st.integers(0, 5))
    return PolicySettings(
        clear_within_seconds=draw(st.floats(min_value=60, max_value=3600)),
        busy_share=draw(st.floats(min_value=0.5, max_value=1)),
        min_machines=least,
        max_machines=draw(st.integers(least, 300)),
    )


def obeyed(snapshot: Snapshot, decision: Decision) -> Snapshot:
    """The same moment, the decision carried out: launched machines boot, drained ones drain, ended ones are gone."""
    kept = [
        replace(machine, state=MachineState.DRAINING) if machine.id in decision.drain else machine
        for machine in snapshot.machines
        if machine.id not in decision.terminate
    ]
    slots = {offer.name: offer.slots for offer in snapshot.offers}
    new = [
        Machine(
            id=f"new-{name}-{number}",
            offer=name,
            state=MachineState.BOOTING,
            slots=slots[name],
            ready_in_seconds=snapshot.boot_seconds,
        )
        for name, count in decision.launch.items()
        for number in range(count)
    ]
    return replace(snapshot, machines=(*kept, *new))
