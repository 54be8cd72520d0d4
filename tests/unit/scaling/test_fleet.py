"""What becomes of a machine between the provider's list and its workers' reports."""

import msgspec
import pytest

from workers.scaling.fleet import LOST_SECONDS, NEVER_UP_SECONDS, SILENT_SECONDS, Fleet, View
from workers.scaling.providers.provider import Instance
from workers.scaling.snapshot import MachineState, Offer
from workers.telemetry import Usage, WorkerReport, WorkerState

OFFER = Offer(name="spot", slots=8, price_per_hour=1, quota=10)


def report(machine: str, state: WorkerState = WorkerState.WARM, **fields: object) -> WorkerReport:
    usual: dict[str, object] = {
        "worker": f"w-{machine}",
        "slots": 8,
        "warm_slots": 8,
        "in_flight": 0,
        "started_at": 50.0,
    }
    return WorkerReport(machine=machine, state=state, **usual | fields)  # type: ignore[arg-type]


def look(
    fleet: Fleet,
    now: float,
    machines: str,
    *reports: WorkerReport,
    boot_seconds: float = 60,
    interval_seconds: float = 1000,
) -> View:
    return fleet.look(
        now,
        instances=[Instance(id=each, offer="spot") for each in machines],
        reports=reports,
        offers=[OFFER],
        boot_seconds=boot_seconds,
        interval_seconds=interval_seconds,
    )


def state(view: View) -> MachineState:
    [machine] = view.machines
    return machine.state


def test_a_machine_boots_until_a_worker_of_it_is_warm_and_its_boot_is_measured() -> None:
    fleet = Fleet()
    look(fleet, 100, "")  # after which it is asked for
    view = look(fleet, 110, "a")
    assert (state(view), view.machines[0].ready_in_seconds, view.machines[0].slots) == (MachineState.BOOTING, 50, 8)
    assert look(fleet, 120, "a").machines[0].ready_in_seconds == 40
    assert state(look(fleet, 140, "a", report("a", WorkerState.STARTING))) is MachineState.BOOTING
    view = look(fleet, 150, "a", report("a"))
    assert (state(view), view.boots) == (MachineState.WARM, (50.0,))
    assert look(fleet, 160, "a", report("a")).boots == ()


def test_the_boot_of_a_machine_that_was_there_before_us_is_not_measured() -> None:
    fleet = Fleet()
    look(fleet, 100, "a")
    assert look(fleet, 101, "a", report("a")).boots == ()


def test_a_machine_with_two_workers_is_drained_when_both_are() -> None:
    fleet = Fleet()
    one, two = (report("a", worker=name, state=WorkerState.DRAINED) for name in "xy")
    busy = msgspec.structs.replace(two, state=WorkerState.DRAINING, in_flight=1)
    view = look(fleet, 100, "a", one, busy)
    assert (state(view), view.machines[0].slots, view.machines[0].in_flight) == (MachineState.DRAINING, 16, 1)
    assert state(look(fleet, 110, "a", one, two)) is MachineState.DRAINED


def test_a_machine_that_we_ordered_to_drain_is_not_counted_before_it_says_so() -> None:
    fleet = Fleet()
    look(fleet, 100, "a", report("a"))
    fleet.known["a"].draining = True
    assert state(look(fleet, 101, "a", report("a"))) is MachineState.DRAINING


def test_a_drained_machine_that_still_holds_something_is_not_drained() -> None:
    assert state(look(Fleet(), 100, "a", report("a", WorkerState.DRAINED, in_flight=1))) is MachineState.DRAINING


def test_silence_is_borne_for_a_while_then_not_counted_on_then_ended() -> None:
    fleet = Fleet()
    look(fleet, 100, "ab", report("a", in_flight=3), report("b"))
    view = look(fleet, 110, "ab", report("b"))
    assert (view.machines[0].state, view.machines[0].in_flight) == (MachineState.WARM, 3)
    assert look(fleet, 100 + SILENT_SECONDS, "ab", report("b")).machines[0].state is MachineState.DRAINING
    assert look(fleet, 100 + LOST_SECONDS, "ab", report("b")).machines[0].state is MachineState.LOST


def test_a_worker_that_ends_after_a_notice_is_not_counted_on_when_its_report_is_gone() -> None:
    fleet = Fleet()
    look(fleet, 100, "a", report("a", WorkerState.DRAINING))
    assert state(look(fleet, 105, "a")) is MachineState.DRAINING


def test_a_machine_that_never_came_up_is_lost_and_its_offer_broken() -> None:
    fleet = Fleet()
    look(fleet, 0, "a")
    assert state(look(fleet, NEVER_UP_SECONDS, "a")) is MachineState.BOOTING
    view = look(fleet, NEVER_UP_SECONDS + 1, "a")
    assert (state(view), view.broken) == (MachineState.LOST, ("spot",))


def test_slow_boots_are_waited_for() -> None:
    fleet = Fleet()
    look(fleet, 0, "a", boot_seconds=300)
    assert state(look(fleet, 1400, "a", boot_seconds=300)) is MachineState.BOOTING


def test_a_machine_that_is_gone_unasked_was_preempted_and_one_that_we_ended_was_not() -> None:
    fleet = Fleet()
    look(fleet, 100, "abc", report("a"), report("b"), report("c"))
    fleet.known["a"].terminated = True
    assert look(fleet, 110, "c", report("c")).preempted == 1


def test_an_announced_preemption_counts_once_and_drains() -> None:
    fleet = Fleet()
    look(fleet, 100, "ab", report("a"), report("b"))
    view = look(fleet, 110, "ab", report("a", preempted=True), report("b"))
    assert (view.preempted, view.machines[0].state) == (1, MachineState.DRAINING)
    assert look(fleet, 120, "ab", report("a", preempted=True), report("b")).preempted == 0
    assert look(fleet, 130, "b", report("b")).preempted == 0


def test_a_machine_made_anew_under_the_name_of_a_preempted_one_is_counted_on() -> None:
    fleet = Fleet()
    look(fleet, 100, "ab", report("a", preempted=True), report("b"))
    # Nobody looked while it was away.
    view = look(fleet, 400, "ab", report("a", started_at=300.0), report("b"))
    assert [each.state for each in view.machines] == [MachineState.WARM, MachineState.WARM]
    assert look(fleet, 410, "ab", report("a", preempted=True, started_at=300.0), report("b")).preempted == 1


def test_a_worker_that_starts_again_before_its_machine_is_taken_changes_nothing() -> None:
    fleet = Fleet()
    look(fleet, 100, "ab", report("a", preempted=True), report("b"))
    view = look(fleet, 110, "ab", report("a", WorkerState.STARTING, started_at=105.0), report("b"))
    assert view.machines[0].state is MachineState.DRAINING
    assert look(fleet, 120, "ab", report("a", preempted=True, started_at=105.0), report("b")).preempted == 0


def test_the_boot_of_a_machine_that_is_known_by_its_reports_alone_is_not_measured() -> None:
    fleet = Fleet()
    look(fleet, 100, "")
    instance = Instance(id="a", offer="spot", boot_is_seen=False)
    view = fleet.look(110, instances=[instance], reports=[report("a")], offers=[OFFER], boot_seconds=60)
    assert (state(view), view.boots) == (MachineState.WARM, ())


def test_when_all_workers_are_silent_at_once_the_broker_is_suspected() -> None:
    fleet = Fleet()
    look(fleet, 100, "ab", report("a"), report("b"))
    assert look(fleet, 110, "ab").blackout
    assert not look(fleet, 115, "ab", report("a")).blackout
    assert look(fleet, 120, "ab").blackout
    assert not look(fleet, 120 + LOST_SECONDS, "ab").blackout


def test_a_fleet_of_one_may_well_be_silent() -> None:
    fleet = Fleet()
    look(fleet, 100, "a", report("a"))
    assert not look(fleet, 110, "a").blackout


@pytest.mark.parametrize("machines", ["a", "ab", "abc"])
def test_after_an_outage_in_which_nobody_could_look_all_have_time_to_report_again(machines: str) -> None:
    fleet = Fleet()
    look(fleet, 100, machines, *(report(each, in_flight=8) for each in machines), interval_seconds=10)
    # The broker was away for an hour, and every step failed. It is back, and one worker was quicker than we.
    back = 100 + 3600
    quick = report(machines[-1], in_flight=8)
    for now, reports in ((back, ()), (back + 10, (quick,)), (back + 20, (quick,))):
        states = {each.state for each in look(fleet, now, machines, *reports, interval_seconds=10).machines}
        assert MachineState.LOST not in states


def test_after_a_blackout_the_first_that_reports_again_does_not_condemn_the_others() -> None:
    fleet = Fleet()
    reports = [report(each, in_flight=8) for each in "abc"]
    look(fleet, 100, "abc", *reports, interval_seconds=10)
    end = int(100 + LOST_SECONDS)
    assert all(look(fleet, now, "abc", interval_seconds=10).blackout for now in range(110, end, 10))
    view = look(fleet, end, "abc", reports[0], interval_seconds=10)
    assert {each.state for each in view.machines} == {MachineState.WARM}
    for now in range(end + 10, end + int(LOST_SECONDS), 10):
        view = look(fleet, now, "abc", reports[0], interval_seconds=10)
        assert MachineState.LOST not in {each.state for each in view.machines}
    view = look(fleet, end + int(LOST_SECONDS), "abc", reports[0], interval_seconds=10)
    assert [each.state for each in view.machines] == [MachineState.WARM, MachineState.LOST, MachineState.LOST]


def test_a_machine_that_boots_while_nobody_can_look_is_waited_for() -> None:
    fleet = Fleet()
    look(fleet, 0, "a", interval_seconds=10)
    assert state(look(fleet, 10 * NEVER_UP_SECONDS, "a", interval_seconds=10)) is MachineState.BOOTING


def usage(completed: int, busy_seconds: float, **durations: int) -> dict[str, Usage]:
    histogram = {int(bucket.strip("b")): count for bucket, count in durations.items()}
    return {"run_code": Usage(completed=completed, busy_seconds=busy_seconds, durations=histogram)}


def test_work_is_counted_from_report_to_report() -> None:
    fleet = Fleet()
    assert look(fleet, 100, "a", report("a", usage=usage(10, 5.0, b3=10))).usage == {}
    view = look(fleet, 110, "a", report("a", usage=usage(12, 7.5, b3=11, b9=1)))
    assert view.usage == usage(2, 2.5, b3=1, b9=1)


def test_a_worker_that_began_while_we_looked_is_counted_from_its_start() -> None:
    fleet = Fleet()
    look(fleet, 100, "")
    view = look(fleet, 110, "a", report("a", started_at=105.0, usage=usage(4, 2.0, b3=4)))
    assert view.usage == usage(4, 2.0, b3=4)


def test_a_worker_that_began_anew_under_its_name_does_not_count_backwards() -> None:
    fleet = Fleet()
    look(fleet, 100, "a", report("a", usage=usage(1000, 500.0, b3=1000)))
    view = look(fleet, 110, "a", report("a", started_at=105.0, usage=usage(1, 0.5, b3=1)))
    assert view.usage == usage(1, 0.5, b3=1)


def test_it_survives_a_trip_through_json() -> None:
    fleet = Fleet()
    look(fleet, 100, "ab", report("a", usage=usage(10, 5.0, b3=10)), report("b", WorkerState.DRAINING))
    again = msgspec.json.decode(msgspec.json.encode(fleet), type=Fleet)
    assert again == fleet
    assert look(again, 110, "ab", report("a", usage=usage(12, 6.0, b3=12))) == look(
        fleet, 110, "ab", report("a", usage=usage(12, 6.0, b3=12))
    )


@pytest.mark.parametrize("now", [0.0, 50.0])
def test_a_clock_that_jumps_back_loses_no_machine(now: float) -> None:
    fleet = Fleet()
    look(fleet, 100, "a", report("a"))
    assert state(look(fleet, now, "a", report("a"))) is MachineState.WARM
    assert state(look(fleet, now + 1, "a")) is MachineState.WARM
