import msgspec
import pytest

from workers.scaling.memory import MAX_BLOCK_SECONDS, WINDOW_SECONDS, WINDOWS, Memory
from workers.scaling.policy import Decision
from workers.scaling.snapshot import Snapshot
from workers.telemetry import Usage

NOTHING: dict[str, Usage] = {}


def seen(memory: Memory, now: float) -> Snapshot:
    return memory.snapshot(now, queue=(), in_flight=0, machines=(), offers=(), assumed_boot_seconds=77.0)


def test_arrivals_are_what_waits_more_and_what_was_completed() -> None:
    memory = Memory()
    memory.observe(0.0, waiting=100, usage=NOTHING, machines=0)
    memory.observe(10.0, waiting=130, usage={"run_code": Usage(completed=30, busy_seconds=5)}, machines=1)
    memory.observe(31.0, waiting=130, usage=NOTHING, machines=1)
    assert memory.arrivals[-1] == pytest.approx(60)
    assert seen(memory, 31.0).arrivals_per_second[-1] == pytest.approx(2)


def test_what_waited_before_the_first_look_did_not_arrive_then() -> None:
    memory = Memory()
    memory.observe(0.0, waiting=1_000_000, usage=NOTHING, machines=0)
    memory.observe(WINDOW_SECONDS, waiting=1_000_000, usage=NOTHING, machines=0)
    assert seen(memory, WINDOW_SECONDS).arrivals_per_second == (0.0,) * WINDOWS


def test_a_purged_queue_is_no_negative_rate() -> None:
    memory = Memory()
    memory.observe(0.0, waiting=100, usage=NOTHING, machines=0)
    memory.observe(40.0, waiting=0, usage=NOTHING, machines=0)
    assert min(memory.arrivals) == 0
    memory.observe(70.0, waiting=30, usage=NOTHING, machines=0)
    memory.observe(100.0, waiting=30, usage=NOTHING, machines=0)
    assert sum(memory.arrivals) == 30  # what comes after it is seen again


def test_completions_that_are_reported_late_are_no_arrivals() -> None:
    memory = Memory()
    memory.observe(0.0, waiting=10_000, usage=NOTHING, machines=0)
    waiting, reported = 10_000, 0
    for second in range(5, 305, 5):
        waiting -= 100
        late = 10_000 - waiting - reported if second % 10 else 0
        reported += late
        usage = {"run_code": Usage(completed=late, busy_seconds=1)} if late else NOTHING
        memory.observe(float(second), waiting=waiting, usage=usage, machines=1)
    assert sum(memory.arrivals) <= 100


def test_a_look_after_a_long_absence_spreads_what_came_meanwhile() -> None:
    memory = Memory()
    memory.observe(0.0, waiting=0, usage=NOTHING, machines=0)
    memory.observe(300.0, waiting=3000, usage=NOTHING, machines=0)
    assert memory.arrivals[-10:] == [300.0] * 10


def test_a_clock_that_jumps_back_breaks_nothing() -> None:
    memory = Memory()
    memory.observe(1000.0, waiting=5, usage=NOTHING, machines=1)
    memory.observe(400.0, waiting=9, usage=NOTHING, machines=1)
    assert memory.machine_hours == 0
    assert len(memory.arrivals) == WINDOWS


def test_service_times_are_forgotten_by_halves() -> None:
    memory = Memory()
    usage = {"run_code": Usage(completed=100, busy_seconds=50, durations={18: 99, 30: 1})}
    memory.observe(0.0, waiting=0, usage=usage, machines=0)
    memory.observe(600.0, waiting=0, usage=NOTHING, machines=0)
    service = seen(memory, 600.0).services["run_code"]
    assert service.completed == pytest.approx(50)
    assert service.busy_seconds == pytest.approx(25)
    assert service.tail_seconds == pytest.approx(0.512)


def test_the_tail_is_the_99th_percentile() -> None:
    memory = Memory()
    usage = {"run_code": Usage(completed=100, busy_seconds=50, durations={18: 98, 30: 2})}
    memory.observe(0.0, waiting=0, usage=usage, machines=0)
    assert seen(memory, 0.0).services["run_code"].tail_seconds == pytest.approx(32.768)


def test_boots_are_planned_with_a_slow_one_and_assumed_before_any_was_seen() -> None:
    memory = Memory()
    assert seen(memory, 0.0).boot_seconds == 77
    memory.observe(0.0, waiting=0, usage=NOTHING, machines=0, boots=[50, 60, 70, 80, 90])
    assert seen(memory, 0.0).boot_seconds == 80


def test_losses_count_against_machine_hours() -> None:
    memory = Memory()
    memory.observe(0.0, waiting=0, usage=NOTHING, machines=100)
    memory.observe(36.0, waiting=0, usage=NOTHING, machines=100, preempted=5)
    assert seen(memory, 36.0).preemptions_per_machine_hour == pytest.approx(5 / 25, rel=0.01)


def test_an_offer_that_refuses_again_is_left_alone_for_longer() -> None:
    memory = Memory()
    memory.refused(0.0, "a")
    assert memory.blocked_seconds("a", 10.0) == 20
    memory.refused(30.0, "a")
    assert memory.blocked_seconds("a", 30.0) == 60
    for _ in range(20):
        memory.refused(100.0, "a")
    assert memory.blocked_seconds("a", 100.0) == MAX_BLOCK_SECONDS
    memory.granted("a")
    assert memory.blocked_seconds("a", 100.0) == 0


def test_it_survives_a_trip_through_json() -> None:
    memory = Memory()
    usage = {"run_code": Usage(completed=100, busy_seconds=50, durations={18: 99, 30: 1})}
    memory.observe(0.0, waiting=7, usage=usage, machines=3, preempted=1, boots=[80])
    decision = Decision(launch={}, drain=(), terminate=(), machines=3, wanted=2, reasons=())
    memory.decided(0.0, decision)
    memory.refused(0.0, "a")
    again = msgspec.json.decode(msgspec.json.encode(memory), type=Memory)
    assert seen(again, 10.0) == seen(memory, 10.0)
    assert again == memory
