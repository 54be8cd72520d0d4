"""What a worker says of its last minute."""

from tasks.reporting import RECENT_SECONDS, History
from workers.telemetry import REPORT_SECONDS, Usage


def usage(completed: int, busy_seconds: float) -> dict[str, Usage]:
    return {"run_code": Usage(completed=completed, busy_seconds=busy_seconds)}


def test_only_the_last_minute_counts() -> None:
    now = 0.0
    history = History(clock=lambda: now)
    recent = history.recent({}, {})
    for number in range(1, 101):
        now = number * REPORT_SECONDS
        recent = history.recent(usage(number * 10, number * 4.0), {"ok": number * 9, "timeout": number})
    assert recent.seconds == RECENT_SECONDS
    assert recent.completed == {"run_code": 120}
    assert recent.busy_seconds == 48.0
    assert recent.outcomes == {"ok": 108, "timeout": 12}


def test_the_first_report_speaks_of_the_time_since_the_start() -> None:
    now = 100.0
    history = History(clock=lambda: now)
    now = 102.0
    recent = history.recent(usage(3, 1.5), {"ok": 3})
    assert (recent.seconds, recent.completed, recent.busy_seconds) == (2.0, {"run_code": 3}, 1.5)
    now = 107.0
    assert history.recent(usage(3, 1.5), {"ok": 3}).completed == {"run_code": 3}
