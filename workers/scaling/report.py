"""Simulated runs as tables: for a terminal, for a document, for a program."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from workers.scaling.simulator import Run

HEADINGS = ("rule", "in time", "median", "p99", "slowest", "busy", "hours", "cost", "peak", "redone")
MANY_SECONDS = 10  # from here on, nobody asks for tenths
_BLOCKS = " ▁▂▃▄▅▆▇█"


def cells(run: Run) -> tuple[str, ...]:
    """One row under HEADINGS: times from being enqueued to done, machine-hours, and the most machines at once."""
    in_time = f"{_percent(run.within_share)}"
    if run.unfinished:
        in_time += f" ({run.unfinished:,} never)"
    return (
        run.rule,
        in_time,
        _seconds(run.median_seconds),
        _seconds(run.p99_seconds),
        _seconds(run.max_seconds),
        _percent(run.busy_share),
        f"{run.machine_hours:.1f}",
        f"{run.cost:.2f}",
        str(run.peak_machines),
        f"{run.redelivered:,}",
    )


def markdown(runs: Sequence[Run]) -> str:
    """A table for a document."""
    rows = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *[cells(run) for run in runs]]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def as_dict(scenario: str, seed: int, run: Run) -> dict[str, Any]:
    """Everything but the samples."""
    return {"scenario": scenario, "seed": seed} | {
        name: value for name, value in asdict(run).items() if name != "samples"
    }


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """The highest value of each stretch as a bar of text; what is not zero is never shown as nothing."""
    if not values:
        return ""
    highest = max(values) or 1.0
    bars = min(width, len(values))
    line = ""
    for bar in range(bars):
        stretch = values[bar * len(values) // bars : (bar + 1) * len(values) // bars]
        share = max(stretch) / highest
        line += _BLOCKS[max(round(share * (len(_BLOCKS) - 1)), int(share > 0))]
    return line


def _percent(share: float) -> str:
    # 100 % is said of nothing that is less.
    percent = 100 * share
    return "100 %" if share >= 1 else f"{min(percent, 99.9):.1f} %"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= MANY_SECONDS else f"{seconds:.1f} s"
