"""The model itself: nothing is lost or done twice, time and money add up, and equal seeds give equal runs."""

from dataclasses import replace
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.scaling.baselines import FixedRule, PolicyRule, all_rules
from workers.scaling.policy import Decision, PolicySettings
from workers.scaling.scenario import (
    Burst,
    Constant,
    Drought,
    OfferedMachines,
    Operations,
    Scenario,
    Steady,
    Steps,
    Wave,
    load_scenario,
    shipped_names,
)
from workers.scaling.simulator import Run, simulate
from workers.scaling.snapshot import Snapshot
from workers.scaling.workload import draw_workload


def scenario(**fields: object) -> Scenario:
    usual = {
        "description": "a test",
        "operations": {"run_code": Operations(seconds=Constant(seconds=2.0))},
        "arrivals": (Burst(operations=1000),),
        "offers": (OfferedMachines(name="spot", slots=4, price_per_hour=3.6),),
        "boot": Constant(seconds=60.0),
        "assumed_boot_seconds": 60.0,
    }
    return Scenario(**usual | fields)  # type: ignore[arg-type]


def policy_run(of: Scenario) -> Run:
    return simulate(of, PolicyRule(of.policy))


@cache
def shipped_run(name: str) -> Run:
    """Of the policy; a million operations are not simulated twice."""
    return policy_run(load_scenario(name))


class Fixed:
    """A rule that launches once and never thinks again."""

    name = "fixed"
    grace_seconds = None
    standing_machines = 0

    def __init__(self, **launch: int) -> None:
        self._launch = launch

    def decide(self, now: float, snapshot: Snapshot, *, busy_share: float) -> Decision:
        del snapshot, busy_share
        launch = self._launch if now == 0 else {}
        return Decision(launch=launch, drain=(), terminate=(), machines=0, wanted=0, reasons=())


def test_equal_seeds_give_equal_runs_and_others_do_not() -> None:
    wave = Steps(operations=4000, every_seconds=900, over_seconds=30, until_seconds=900)
    stormy = msgspec.structs.replace(load_scenario("heavy-tails"), arrivals=(wave,))
    rules = all_rules(stormy, draw_workload(stormy))
    assert [simulate(stormy, rule) for rule in rules] == [
        simulate(stormy, rule) for rule in all_rules(stormy, draw_workload(stormy))
    ]
    assert simulate(stormy, rules[0], seed=2) != simulate(stormy, rules[0], seed=3)


def test_a_fleet_without_surprises_takes_exactly_the_time_and_money_that_it_must() -> None:
    # 1,000 operations of 2 s on 2 machines of 4 slots: 125 rounds after a boot of a minute
    run = simulate(scenario(quiet_seconds=0), Fixed(spot=2))
    assert run.finished_at_seconds == pytest.approx(60 + 250)
    assert run.max_seconds == pytest.approx(310)
    assert run.median_seconds == pytest.approx(60 + 63 * 2, abs=2)
    assert run.busy_share == pytest.approx(1.0)
    assert run.machine_hours == pytest.approx(2 * 310 / 3600)
    assert run.cost == pytest.approx(2 * 310 / 1000)
    assert (run.unfinished, run.redelivered, run.wasted_slot_seconds) == (0, 0, 0)


def test_a_machine_is_billed_for_a_minute_at_least() -> None:
    short = scenario(arrivals=(Burst(operations=1),), boot=Constant(seconds=0.0), quiet_seconds=0)
    assert simulate(short, Fixed(spot=1)).cost == pytest.approx(0.06)


def test_what_a_vanished_machine_held_is_done_again() -> None:
    wave = Wave(at_seconds=61.0, share=0.5, notice_seconds=0)
    run = simulate(scenario(waves=(wave,), quiet_seconds=0, redelivery_seconds=13), Fixed(spot=2))
    assert run.preempted == 1
    assert run.redelivered == 4
    assert run.wasted_slot_seconds == pytest.approx(4)
    assert run.unfinished == 0
    # 996 operations' worth on 4 slots instead of 8, from the second 61 on
    assert run.finished_at_seconds == pytest.approx(61 + 1 + 249 * 2, abs=2)


def test_a_notice_lets_what_fits_into_it_finish() -> None:
    wave = Wave(at_seconds=61.0, share=0.5, notice_seconds=5)
    run = simulate(scenario(waves=(wave,)), Fixed(spot=2))
    assert (run.preempted, run.redelivered) == (1, 0)


def test_what_does_not_fit_into_the_notice_is_handed_back() -> None:
    wave = Wave(at_seconds=61.0, share=0.5, notice_seconds=0.5)
    run = simulate(scenario(waves=(wave,)), Fixed(spot=2))
    assert (run.preempted, run.redelivered) == (1, 4)
    assert run.unfinished == 0


def test_while_one_offer_is_dry_the_other_is_taken() -> None:
    dry = scenario(
        offers=(
            OfferedMachines(name="cheap", slots=4, price_per_hour=1),
            OfferedMachines(name="dear", slots=4, price_per_hour=2),
        ),
        droughts=(Drought(from_seconds=0, until_seconds=1e6, offers=("cheap",)),),
    )
    run = policy_run(dry)
    assert run.within_share == 1
    assert run.cost == pytest.approx(2 * run.machine_hours, rel=0.2)


def test_work_that_can_never_be_done_ends_the_run_and_is_counted() -> None:
    dry = scenario(droughts=(Drought(from_seconds=0, until_seconds=1e9),))
    run = policy_run(dry)
    assert run.unfinished == 1000
    assert run.within_share == 0


def test_the_policy_interrupts_nothing_by_itself() -> None:
    busy = scenario(arrivals=(Steady(per_second=10, until_seconds=1200), Burst(operations=5000, at_seconds=300)))
    run = policy_run(busy)
    assert any(sample.draining and sample.running for sample in run.samples)
    assert run.redelivered == 0
    assert run.unfinished == 0


def test_an_idle_fleet_ends_at_nothing() -> None:
    run = policy_run(scenario())
    last = run.samples[-1]
    assert (last.booting, last.warm, last.draining) == (0, 0, 0)


@settings(max_examples=40, deadline=None)
@given(
    operations=st.integers(1, 4000),
    seconds=st.floats(0.05, 20),
    boot=st.floats(5, 200),
    slots=st.integers(1, 32),
    seed=st.integers(0, 5),
)
def test_a_burst_is_cleared_in_time_from_nothing(
    operations: int, seconds: float, boot: float, slots: int, seed: int
) -> None:
    burst = scenario(
        seed=seed,
        arrivals=(Burst(operations=operations),),
        operations={"run_code": Operations(seconds=Constant(seconds=seconds))},
        boot=Constant(seconds=boot),
        assumed_boot_seconds=boot,
        offers=(OfferedMachines(name="spot", slots=slots, price_per_hour=1, quota=100_000),),
        policy=PolicySettings(max_machines=100_000),
    )
    run = policy_run(burst)
    assert run.unfinished == 0
    assert run.within_share == 1, run


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1), at=st.floats(0, 900), notice=st.sampled_from([0.0, 5.0, 120.0]), seed=st.integers(0, 9))
def test_every_operation_is_done_once_whatever_is_taken_away(share: float, at: float, notice: float, seed: int) -> None:
    stormy = scenario(
        seed=seed,
        arrivals=(Steady(per_second=5, until_seconds=900),),
        waves=(Wave(at_seconds=at, share=share, notice_seconds=notice),),
        preemptions_per_machine_hour=2,
        notice_seconds=notice,
    )
    run = policy_run(stormy)
    assert run.unfinished == 0
    assert run.wasted_slot_seconds <= 2.0 * run.redelivered + 1e-6


@pytest.mark.parametrize("name", shipped_names())
def test_the_shipped_scenarios_are_cleared_in_time(name: str) -> None:
    run = shipped_run(name)
    assert run.unfinished == 0
    assert run.within_share > 0.998
    assert run.busy_share >= 0.9


def test_a_million_operations_are_cleared_from_nothing_within_ten_minutes() -> None:
    run = shipped_run("cold-start")
    assert (run.operations, run.unfinished) == (1_000_000, 0)
    assert run.max_seconds <= run.finished_at_seconds <= 600  # the last one came after 20 s


def test_no_large_machine_is_bought_where_stragglers_would_hold_it() -> None:
    heavy = load_scenario("heavy-tails")
    only_large = msgspec.structs.replace(heavy, offers=heavy.offers[1:])
    assert shipped_run("heavy-tails").busy_share > policy_run(only_large).busy_share + 0.05


def test_the_fixed_fleet_is_sized_for_the_peak_and_warm_from_the_start() -> None:
    of = scenario(policy=PolicySettings(clear_within_seconds=100))
    run = simulate(of, FixedRule(of, draw_workload(of)))
    assert run.peak_machines == 5  # 2,000 slot-seconds in 100 s on machines of 4 slots
    assert run.max_seconds == pytest.approx(100)


def test_other_rules_interrupt_what_runs_when_they_shrink() -> None:
    heavy = load_scenario("heavy-tails")
    workload = draw_workload(heavy)
    [queue_length] = [rule for rule in all_rules(heavy, workload) if rule.name == "queue length"]
    assert simulate(heavy, queue_length, workload=workload).redelivered > 0
    assert shipped_run("heavy-tails").redelivered == 0


def test_steps_that_overlap_arrive_in_the_order_of_time() -> None:
    steps = Steps(operations=10, every_seconds=1, over_seconds=2.5, until_seconds=3)
    arrived = draw_workload(scenario(arrivals=(steps, Burst(operations=3, at_seconds=1.2)))).arrived
    assert len(arrived) == 33
    assert list(arrived) == sorted(arrived)


def test_the_workload_does_not_depend_on_the_rule_or_on_other_streams() -> None:
    of = load_scenario("heavy-tails")
    other = msgspec.structs.replace(of, arrivals=(*of.arrivals, Burst(operations=1, at_seconds=1e6)))
    assert list(draw_workload(of).seconds)[:1000] == list(draw_workload(other).seconds)[:1000]
    assert replace(draw_workload(of)) == draw_workload(of)
