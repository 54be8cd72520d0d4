"""What `leanfleet status` makes of what it sees."""

from typing import Any

import pytest

from tasks.commands.status import duration
from tasks.status import FleetStatus, fleet_status, targets
from workers.scaling.observer import SampledMessage, Sight
from workers.telemetry import Recent, WorkerReport, WorkerState

NOW = 1_000_000.0


def report(name: str, **changes: Any) -> WorkerReport:
    values: dict[str, Any] = {
        "worker": name,
        "machine": name.partition("@")[2],
        "state": WorkerState.WARM,
        "slots": 4,
        "warm_slots": 4,
        "in_flight": 3,
        "started_at": NOW - 100,
        "repls": 2,
        "busy_repls": 1,
        "recent": Recent(seconds=60.0, completed={"run_code": 120}, busy_seconds=30.0, outcomes={"ok": 120}),
        **changes,
    }
    return WorkerReport(**values)


def status(
    *reports: WorkerReport, queued: int = 0, samples: tuple[SampledMessage, ...] = (), dead: int = 0
) -> FleetStatus:
    sight = Sight(queued=queued, in_flight=3, samples=samples, reports=reports)
    return fleet_status(sight, queue="q", dead=dead, now=NOW)


def test_rates_and_shares_are_those_of_all_workers_together() -> None:
    found = status(report("a@one"), report("b@one", busy_repls=2), report("c@two", state=WorkerState.STARTING, repls=0))
    assert (found.machines, found.states) == (2, {"warm": 2, "starting": 1})
    assert (found.repls, found.busy_repls) == (4, 4)
    assert found.busy_share == 0.25
    assert found.operations_per_second == 6.0
    assert found.rates == {"run_code": 6.0}
    assert found.outcomes == {"ok": 360}
    assert not found.problems


def test_a_queue_that_nobody_serves_is_a_problem() -> None:
    found = status(report("a@one", state=WorkerState.DRAINING), queued=5)
    assert found.is_stuck
    assert found.problems[0].startswith("5 operations wait and no worker takes work (1 draining)")
    assert status(queued=5).problems[0].startswith("5 operations wait and no worker takes work (none at all)")
    assert not status().is_stuck
    assert not status(report("a@one"), queued=5).is_stuck


def test_the_oldest_message_says_how_long_it_waits_and_the_rate_when_it_ends() -> None:
    samples = (SampledMessage(7, "run_code", NOW), SampledMessage(0, "run_code", NOW - 700.0))
    found = status(report("a@one"), queued=8, samples=samples)
    assert found.queue.oldest_seconds == 700.0
    assert found.queue.eta_seconds == 4.0
    assert found.problems == ("the oldest operation has waited 12 min: the fleet is too small, or stuck",)
    unknown = status(report("a@one"), queued=1, samples=(SampledMessage(0, "", None),))
    assert unknown.queue.oldest_seconds is None
    fast_clock = status(report("a@one"), queued=1, samples=(SampledMessage(0, "run_code", NOW + 3),))
    assert fast_clock.queue.oldest_seconds == 0.0


@pytest.mark.parametrize(
    ("outcomes", "is_problem"),
    [
        ({"ok": 1000, "lean_error": 1000}, False),
        ({"ok": 1000, "timeout": 60}, True),
        ({"ok": 1000, "timeout": 20, "repl_died": 20}, False),
        ({"timeout": 5}, False),
        ({"timeout": 10}, True),
    ],
)
def test_failures_are_a_problem_when_they_are_many(outcomes: dict[str, int], is_problem: bool) -> None:
    found = status(report("a@one", recent=Recent(seconds=60.0, outcomes=outcomes)))
    assert any("answers are failures" in problem for problem in found.problems) is is_problem


def test_dead_letters_and_machines_that_leave_are_named() -> None:
    found = status(report("a@one", preempted=True), dead=2)
    assert found.problems == (
        "1 machines are being taken by their provider: one",
        "2 operations were given up: leanfleet dead list",
    )


def test_targets_are_the_workers_that_serve_metrics() -> None:
    reports = [report("b@one", metrics_url="http://h:9110/metrics"), report("a@one", metrics_url="http://[::1]:9109/m")]
    assert targets([*reports, report("c@one")]) == [{"targets": ["[::1]:9109", "h:9110"], "labels": {}}]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (99.0, "99 s"), (101.0, "2 min"), (6100.0, "2 h"), (400_000.0, "5 d")],
)
def test_durations_are_in_the_unit_that_suits(seconds: float, words: str) -> None:
    assert duration(seconds) == words
