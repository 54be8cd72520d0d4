import pytest

from tasks.health import health
from workers.telemetry import WorkerReport, WorkerState


def report(machine: str, state: WorkerState) -> WorkerReport:
    return WorkerReport(
        worker=f"{machine}-{state}", machine=machine, state=state, slots=1, warm_slots=0, in_flight=0, started_at=0.0
    )


@pytest.mark.parametrize("state", [WorkerState.WARM, WorkerState.DRAINING, WorkerState.DRAINED])
def test_a_worker_that_reports_itself_is_well(state: WorkerState) -> None:
    assert not health([report("here", state)], "here")


def test_another_machines_worker_does_not_count() -> None:
    assert "no worker of here" in health([report("there", WorkerState.WARM)], "here")


def test_a_worker_that_still_starts_is_not_well_yet() -> None:
    assert "starting" in health([report("here", WorkerState.STARTING)], "here")
