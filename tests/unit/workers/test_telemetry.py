import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.telemetry import Meter, Usage, WorkerReport, WorkerState, bucket_of, bucket_seconds, waiting


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.floats(min_value=0, max_value=20_000))
def test_a_duration_lies_in_its_bucket(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert seconds <= bucket_seconds(bucket) * (1 + 1e-9) or bucket == 48
    assert bucket == 0 or seconds > bucket_seconds(bucket - 1) * (1 - 1e-9)


def test_what_runs_counts_as_busy_before_it_ends() -> None:
    clock = Clock()
    meter = Meter(clock=clock)
    with meter.running("run_code"):
        clock.now += 3
        assert meter.usage() == {"run_code": Usage(running=1, busy_seconds=3)}
        clock.now += 1
    usage = Usage(completed=1, busy_seconds=4, durations={bucket_of(4.0): 1})
    assert meter.usage() == {"run_code": usage}


def test_waiting_for_a_repl_is_no_work() -> None:
    clock = Clock()
    meter = Meter(clock=clock)
    with meter.running("run_code"):
        with waiting():
            clock.now += 10
            assert meter.usage() == {"run_code": Usage(running=0, busy_seconds=0)}
        clock.now += 2
        assert meter.usage() == {"run_code": Usage(running=1, busy_seconds=2)}
    assert meter.usage() == {"run_code": Usage(completed=1, busy_seconds=2, durations={bucket_of(2.0): 1})}
    with waiting():  # of nothing that is measured
        clock.now += 1
    assert meter.usage()["run_code"].busy_seconds == 2


def test_what_fails_is_counted_as_done() -> None:
    meter = Meter(clock=Clock())
    with pytest.raises(KeyError), meter.running("run_code"):
        raise KeyError
    assert meter.usage()["run_code"].completed == 1
    assert meter.usage()["run_code"].running == 0


def test_what_is_cancelled_took_time_and_was_not_done() -> None:
    clock = Clock()
    meter = Meter(clock=clock)

    def cancelled() -> None:
        clock.now += 2
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError), meter.running("run_code"):
        cancelled()
    assert meter.usage() == {"run_code": Usage(busy_seconds=2)}


def test_kinds_and_overlapping_operations_are_kept_apart() -> None:
    clock = Clock()
    meter = Meter(clock=clock)
    with meter.running("run_code"), meter.running("run_tactics"):
        clock.now += 1
        with meter.running("run_code"):
            clock.now += 1
            usage = meter.usage()
    assert (usage["run_code"].busy_seconds, usage["run_code"].running) == (3, 2)
    assert (usage["run_tactics"].busy_seconds, usage["run_tactics"].running) == (2, 1)


def test_a_report_survives_the_wire() -> None:
    report = WorkerReport(
        worker="w",
        machine="m",
        state=WorkerState.WARM,
        slots=2,
        warm_slots=2,
        in_flight=1,
        started_at=1.5,
        usage={"run_code": Usage(completed=1, busy_seconds=1.0, durations={3: 1})},
    )
    assert msgspec.json.decode(msgspec.json.encode(report), type=WorkerReport) == report
