"""The limits that hold for every snapshot, and the sizes that come out for plain ones."""

from dataclasses import replace

import hypothesis
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from tests.unit.scaling.snapshots import LONG_IDLE, OFFER, obeyed, settings, snapshots
from workers.scaling.policy import PolicySettings, decide
from workers.scaling.snapshot import Cohort, Machine, MachineState, Offer, Service, Snapshot, Want

TAKING_WORK = (MachineState.BOOTING, MachineState.WARM)
DEFAULTS = PolicySettings()
# Most snapshots call for something else than what the test is about.
rarely = hypothesis.settings(suppress_health_check=[HealthCheck.filter_too_much])


def warm(count: int, *, in_flight: int = 0, slots: int = 8) -> tuple[Machine, ...]:
    return tuple(
        Machine(id=f"m{number}", offer="spot", state=MachineState.WARM, slots=slots, in_flight=in_flight)
        for number in range(count)
    )


def measured(mean_seconds: float, *, tail_seconds: float = 0.0) -> dict[str, Service]:
    return {"run_code": Service(completed=1e6, busy_seconds=1e6 * mean_seconds, tail_seconds=tail_seconds)}


def queue(operations: float, *, age_seconds: float = 0.0) -> tuple[Cohort, ...]:
    return (Cohort(operations={"run_code": operations}, age_seconds=age_seconds),)


def snapshot(**fields: object) -> Snapshot:
    given_fields = {"offers": (OFFER,), "boot_seconds": 90.0, "wants": LONG_IDLE, "services": measured(0.2)} | fields
    return Snapshot(**given_fields)  # type: ignore[arg-type]


def slots_after(seen: Snapshot, wish: PolicySettings) -> int:
    after = obeyed(seen, decide(seen, wish))
    return sum(machine.slots for machine in after.machines if machine.state in TAKING_WORK)


class TestLimits:
    @given(snapshots(), settings())
    def test_equal_snapshots_give_equal_decisions(self, seen: Snapshot, wish: PolicySettings) -> None:
        assert decide(seen, wish) == decide(seen, wish)

    @given(snapshots(), settings())
    def test_it_never_launches_and_drains_at_once(self, seen: Snapshot, wish: PolicySettings) -> None:
        decision = decide(seen, wish)
        assert not (decision.launch and decision.drain)

    @given(snapshots(), settings())
    def test_only_machines_that_hold_nothing_are_terminated(self, seen: Snapshot, wish: PolicySettings) -> None:
        states = {machine.id: machine.state for machine in seen.machines}
        decision = decide(seen, wish)
        assert all(states[each] in (MachineState.DRAINED, MachineState.LOST) for each in decision.terminate)
        assert all(states[each] in TAKING_WORK for each in decision.drain)

    @given(snapshots(), settings())
    def test_quotas_and_the_maximum_hold(self, seen: Snapshot, wish: PolicySettings) -> None:
        alive = [machine for machine in seen.machines if machine.state is not MachineState.LOST]
        decision = decide(seen, wish)
        for offer in seen.offers:
            launched = decision.launch.get(offer.name, 0)
            assert launched >= 0
            if launched:
                assert launched + sum(machine.offer == offer.name for machine in alive) <= offer.quota
        if decision.launch:
            assert len(alive) + sum(decision.launch.values()) <= wish.max_machines

    @given(snapshots(), settings())
    def test_an_offer_that_refused_is_left_alone(self, seen: Snapshot, wish: PolicySettings) -> None:
        decision = decide(seen, wish)
        assert not any(decision.launch.get(offer.name) for offer in seen.offers if offer.blocked_seconds > 0)

    @given(snapshots(), settings())
    def test_the_minimum_stays(self, seen: Snapshot, wish: PolicySettings) -> None:
        decision = decide(seen, wish)
        fleet = sum(machine.state in TAKING_WORK for machine in seen.machines)
        assert fleet - len(decision.drain) >= min(fleet, wish.min_machines)

    @rarely
    @given(snapshots(), settings())
    def test_after_a_launch_nothing_more_is_launched_and_nothing_drained(
        self, seen: Snapshot, wish: PolicySettings
    ) -> None:
        decision = decide(seen, wish)
        assume(decision.launch)
        # What was terminated still counts against the quota for a while.
        again = decide(replace(obeyed(seen, replace(decision, terminate=())), wants=LONG_IDLE), wish)
        assert not again.launch
        # The last machine may be larger than what was missing; then smaller ones may go for it, and no more than that.
        sizes = {machine.id: machine.slots for machine in seen.machines}
        largest = max(offer.slots for offer in seen.offers if offer.name in decision.launch)
        assert sum(sizes.get(each, largest) for each in again.drain) < largest

    @rarely
    @given(snapshots(idle=True), settings())
    def test_after_a_drain_nothing_is_wanted_back(self, seen: Snapshot, wish: PolicySettings) -> None:
        decision = decide(seen, wish)
        assume(decision.drain)
        assert not decide(obeyed(seen, decision), wish).launch

    @given(snapshots(), settings(), st.integers(1, 1_000_000))
    def test_more_work_never_means_fewer_slots(self, seen: Snapshot, wish: PolicySettings, more: int) -> None:
        newest = Cohort(operations={"run_code": float(more)}, age_seconds=0.0)
        assert slots_after(replace(seen, queue=(*seen.queue, newest)), wish) >= slots_after(seen, wish)

    @given(snapshots(), settings())
    def test_no_more_slots_are_launched_than_there_will_be_operations(
        self, seen: Snapshot, wish: PolicySettings
    ) -> None:
        wish = PolicySettings(clear_within_seconds=wish.clear_within_seconds, max_machines=wish.max_machines)
        decision = decide(seen, wish)
        slots = {offer.name: offer.slots for offer in seen.offers}
        launched = sum(slots[name] * count for name, count in decision.launch.items())
        soon = seen.queued + seen.in_flight + max(seen.arrivals_per_second, default=0.0) * seen.boot_seconds
        assert launched < soon + max(slots.values())

    @rarely
    @given(snapshots(), settings())
    def test_nothing_is_drained_while_there_is_enough_to_do_for_all(self, seen: Snapshot, wish: PolicySettings) -> None:
        slots = sum(machine.slots for machine in seen.machines if machine.state in TAKING_WORK)
        fleet = sum(machine.state in TAKING_WORK for machine in seen.machines)
        assume(seen.queued >= slots)
        assume(fleet <= wish.max_machines)
        assert not decide(seen, wish).drain

    @given(settings(), st.integers(1, 40))
    def test_an_idle_fleet_goes_down_to_the_minimum(self, wish: PolicySettings, count: int) -> None:
        decision = decide(snapshot(machines=warm(count)), wish)
        assert len(decision.drain) == max(count - wish.min_machines, 0)

    @given(snapshots(), settings())
    def test_every_decision_gives_its_reasons(self, seen: Snapshot, wish: PolicySettings) -> None:
        decision = decide(seen, wish)
        assert len(decision.reasons) >= 1 + bool(decision.launch or decision.drain)


class TestSizes:
    def test_a_burst_on_nothing_gets_what_clears_it_after_the_boot(self) -> None:
        # 200,000 slot-seconds in (0.95 * 600 - 90) s
        decision = decide(snapshot(queue=queue(1_000_000)), DEFAULTS)
        assert decision.launch == {"spot": 53}

    def test_the_tail_shortens_the_time_that_is_left(self) -> None:
        decision = decide(snapshot(queue=queue(1_000_000), services=measured(0.2, tail_seconds=100)), DEFAULTS)
        assert decision.launch == {"spot": 66}

    def test_what_waited_before_has_less_time_left(self) -> None:
        decision = decide(snapshot(queue=queue(1_000_000, age_seconds=200)), DEFAULTS)
        assert decision.launch == {"spot": 90}

    def test_machines_that_boot_are_counted_for_what_they_will_have_done(self) -> None:
        booting = tuple(replace(each, state=MachineState.BOOTING, ready_in_seconds=90.0) for each in warm(53))
        assert not decide(snapshot(queue=queue(1_000_000), machines=booting), DEFAULTS).launch
        assert decide(snapshot(queue=queue(1_000_000), machines=booting[:40]), DEFAULTS).launch == {"spot": 13}

    def test_frequent_preemptions_are_made_up_for(self) -> None:
        # 6 an hour: each machine-hour loses 6 boots of 90 s
        decision = decide(snapshot(queue=queue(1_000_000), preemptions_per_machine_hour=6), DEFAULTS)
        assert decision.launch == {"spot": 60}

    def test_one_operation_is_enough_for_one_machine(self) -> None:
        assert decide(snapshot(queue=queue(1)), DEFAULTS).launch == {"spot": 1}

    def test_a_last_small_rest_does_not_start_a_machine(self) -> None:
        # 2,000 s of work on 8 slots that have 300 s: not in time, but a new machine would have nothing to do either
        rest = snapshot(queue=queue(10_000, age_seconds=270), machines=warm(1, in_flight=8))
        assert not decide(rest, DEFAULTS).launch

    def test_a_single_burst_is_not_taken_for_a_rate(self) -> None:
        quiet, burst = (0.0,) * 15, (20_000.0, 30_000.0, 0.0, 0.0, 0.0)
        assert decide(snapshot(arrivals_per_second=quiet + burst, machines=warm(1)), DEFAULTS).machines == 1

    def test_what_keeps_arriving_is_carried(self) -> None:
        # 100 a second of 0.2 s = 20 slots; 2 machines carry 16
        rates = (100.0,) * 20
        busy = snapshot(arrivals_per_second=rates, machines=warm(2, in_flight=8), in_flight=16, queue=queue(10_000))
        assert decide(busy, DEFAULTS).launch == {"spot": 1}

    def test_the_last_machine_stays_while_something_came_of_late(self) -> None:
        trickle = (0.0,) * 10 + (0.1,) + (0.0,) * 9
        assert not decide(snapshot(machines=warm(1), arrivals_per_second=trickle), DEFAULTS).drain
        assert decide(snapshot(machines=warm(1), arrivals_per_second=(0.0,) * 20), DEFAULTS).drain == ("m0",)

    def test_the_next_cheapest_offer_takes_what_the_first_has_no_room_for(self) -> None:
        offers = (
            Offer(name="dear", slots=8, price_per_hour=0.3, quota=1000),
            Offer(name="cheap", slots=16, price_per_hour=0.2, quota=5),
            Offer(name="fair", slots=8, price_per_hour=0.2, quota=10),
        )
        decision = decide(snapshot(queue=queue(1_000_000), offers=offers), DEFAULTS)
        assert decision.launch == {"cheap": 5, "fair": 10, "dear": 33}

    def test_stragglers_make_large_machines_dear(self) -> None:
        offers = (
            Offer(name="large", slots=16, price_per_hour=0.32, quota=1000),
            Offer(name="small", slots=2, price_per_hour=0.042, quota=1000),
        )
        wish = PolicySettings(max_machines=1000)
        short, heavy = {0.2: 1e6}, {0.2: 1e6, 300.0: 1e4}
        for durations, chosen in ((short, "large"), (heavy, "small")):
            services = {"run_code": replace(measured(0.2)["run_code"], durations=durations)}
            seen = snapshot(queue=queue(100_000), offers=offers, services=services)
            assert list(decide(seen, wish).launch) == [chosen]

    def test_machines_of_which_there_may_be_too_few_are_asked_for_last(self) -> None:
        offers = (
            Offer(name="large", slots=8, price_per_hour=0.4, quota=50),
            Offer(name="small", slots=2, price_per_hour=0.04, quota=1000),
        )
        seen = snapshot(queue=queue(1_000_000), offers=offers)
        assert decide(seen, PolicySettings(max_machines=300)).launch == {"small": 209}
        assert decide(seen, PolicySettings(max_machines=60)).launch == {"large": 50, "small": 9}

    def test_where_all_are_too_few_the_largest_are_asked_for_first(self) -> None:
        dear = Offer(name="dear", slots=13, price_per_hour=2.0, quota=1)
        cheap = Offer(name="cheap", slots=11, price_per_hour=1.0, quota=30)
        seen = snapshot(queue=queue(10_000_000), offers=(dear, cheap))
        assert decide(seen, PolicySettings(max_machines=30)).launch == {"dear": 1, "cheap": 29}

    def test_a_smaller_machine_is_started_where_the_cheapest_would_find_too_little(self) -> None:
        offers = (
            Offer(name="large", slots=64, price_per_hour=0.64, quota=10),
            Offer(name="small", slots=2, price_per_hour=0.04, quota=10),
        )
        # 2,000 s of work on 8 slots that have 240 s before it is late, and 54 s more of it than they carry
        rest = snapshot(queue=queue(20_000, age_seconds=240), offers=offers, machines=warm(1, in_flight=8))
        assert decide(rest, DEFAULTS).launch.keys() == {"small"}

    def test_an_idle_machine_is_held_for_a_while_before_it_goes(self) -> None:
        lately = (Want(age_seconds=40, machines=3), Want(age_seconds=20, machines=3), Want(age_seconds=10, machines=0))
        assert not decide(snapshot(machines=warm(3), wants=lately), DEFAULTS).drain
        before = tuple(replace(want, age_seconds=want.age_seconds + 20) for want in lately)
        assert len(decide(snapshot(machines=warm(3), wants=before), DEFAULTS).drain) == 3

    def test_a_controller_that_has_just_begun_takes_nothing_down(self) -> None:
        assert not decide(snapshot(machines=warm(3), wants=()), DEFAULTS).drain
        assert not decide(snapshot(machines=warm(3), wants=(Want(age_seconds=10, machines=0),)), DEFAULTS).drain

    def test_machines_that_hold_least_are_drained_first(self) -> None:
        fleet = tuple(replace(each, in_flight=held) for each, held in zip(warm(4), (3, 0, 5, 1), strict=True))
        decision = decide(snapshot(machines=fleet, in_flight=9), DEFAULTS)
        assert set(decision.drain) == {"m0", "m1", "m3"}

    def test_booting_machines_are_given_up_before_warm_ones(self) -> None:
        booting = replace(warm(2)[1], state=MachineState.BOOTING, ready_in_seconds=30.0)
        decision = decide(snapshot(machines=(warm(1, in_flight=1)[0], booting), in_flight=1), DEFAULTS)
        assert decision.drain == ("m1",)

    def test_work_of_lost_machines_is_work_again(self) -> None:
        lost = tuple(replace(each, state=MachineState.LOST) for each in warm(2, in_flight=8))
        decision = decide(snapshot(machines=lost, in_flight=16), DEFAULTS)
        assert set(decision.terminate) == {"m0", "m1"}
        assert decision.launch == {"spot": 1}

    def test_endless_operations_do_not_starve_what_waits(self) -> None:
        stuck = snapshot(queue=queue(1, age_seconds=700), machines=warm(1, in_flight=8), in_flight=8)
        assert decide(stuck, DEFAULTS).launch == {"spot": 1}

    def test_a_queue_that_nobody_reads_does_not_buy_the_whole_quota(self) -> None:
        decision = decide(snapshot(queue=queue(1, age_seconds=700), machines=warm(1)), DEFAULTS)
        assert not decision.launch
        assert any("look at the workers" in reason for reason in decision.reasons)

    def test_before_anything_was_measured_the_assumption_counts(self) -> None:
        wish = PolicySettings(assumed_service_seconds=0.2)
        assert decide(snapshot(queue=queue(1_000_000), services={}), wish).launch == {"spot": 53}

    def test_operations_that_run_for_long_raise_the_estimate_before_they_end(self) -> None:
        running = {"run_code": Service(completed=0, busy_seconds=800, tail_seconds=0)}
        seen = snapshot(queue=queue(1000), machines=warm(1, in_flight=8), in_flight=8)
        assert not decide(replace(seen, services={}), DEFAULTS).launch
        assert decide(replace(seen, services=running), DEFAULTS).launch["spot"] > 30


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"busy_share": 0}, "busy_share"),
        ({"busy_share": 1.5}, "busy_share"),
        ({"min_machines": 5, "max_machines": 4}, "min_machines"),
        ({"min_machines": -1}, "min_machines"),
        ({"clear_within_seconds": 0}, "clear_within_seconds"),
        ({"assumed_samples": 0}, "assumed_samples"),
    ],
)
def test_impossible_settings_are_refused_by_name(fields: dict[str, float], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        PolicySettings(**fields)  # type: ignore[arg-type]
