"""Simulated runs as an SVG: four panels over one axis of time. Text that any browser shows, the same to the byte.

Our own few lines and no plotting library: step lines need no more, and a controller's machine has no NumPy.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from workers.scaling.simulator import Run, Sample

WIDTH, PANEL_HEIGHT, GAP = 960, 130, 34
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 64, 40
MAX_POINTS = 700  # for each line; more cannot be seen
# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLE = """text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}.tick{fill:#777}
.grid{stroke:#e4e4e4}.frame{fill:none;stroke:#bbb}.line{fill:none;stroke-width:1.6;stroke-linejoin:round}"""


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    value: Callable[[Sample], float]
    top: float | None = None  # the axis' end, where it is known


_PANELS = (
    _Panel("operations waiting", lambda sample: sample.queued),
    _Panel("machines paid for", lambda sample: sample.booting + sample.warm + sample.draining),
    _Panel("busy slots, %", lambda sample: 100 * sample.running / sample.slots if sample.slots else 0.0, 100.0),
    _Panel("cost so far", lambda sample: sample.cost),
)


def plot(title: str, runs: Sequence[Run]) -> str:
    """An SVG document with one line for each run."""
    end = max((run.samples[-1].at_seconds for run in runs if run.samples), default=1.0) or 1.0
    unit_seconds, unit = (3600.0, "hours") if end > 3 * 3600 else (60.0, "minutes")
    height = TOP + len(_PANELS) * (PANEL_HEIGHT + GAP) - GAP + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>',
    ]
    x = LEFT
    for run, colour in zip(runs, _colours(runs), strict=True):
        parts.append(f'<rect x="{x}" y="34" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 19}" y="40">{escape(run.rule)}</text>')
        x += 45 + 7 * len(run.rule)
    for index, panel in enumerate(_PANELS):
        parts += _panel(panel, TOP + index * (PANEL_HEIGHT + GAP), runs, end, unit_seconds)
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT}" y="{height - 6}" text-anchor="end">{unit}</text></svg>')
    return "\n".join(parts) + "\n"


def _colours(runs: Sequence[Run]) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(len(runs))]


def _panel(panel: _Panel, top: float, runs: Sequence[Run], end: float, unit_seconds: float) -> list[str]:
    width = WIDTH - LEFT - RIGHT
    bottom = top + PANEL_HEIGHT
    highest = max((panel.value(sample) for run in runs for sample in run.samples), default=0.0)
    limit = panel.top or _nice(highest) or 1.0
    parts = [f'<text x="{LEFT}" y="{top - 7}">{escape(panel.title)}</text>']
    for step in range(5):
        y = bottom - PANEL_HEIGHT * step / 4
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{limit * step / 4:,g}</text>')
    every = _nice(end / unit_seconds / 8)
    for mark in range(math.floor(end / unit_seconds / every + 1e-9) + 1):
        x = LEFT + width * mark * every * unit_seconds / end
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{mark * every:g}</text>')
    for run, colour in zip(runs, _colours(runs), strict=True):
        path = ""
        for sample in _thinned(run.samples, panel.value):
            x = LEFT + width * sample.at_seconds / end
            y = bottom - PANEL_HEIGHT * min(panel.value(sample) / limit, 1.0)
            path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}"
        parts.append(f'<path class="line" stroke="{colour}" d="{path}"/>')
    parts.append(f'<rect class="frame" x="{LEFT}" y="{top}" width="{width}" height="{PANEL_HEIGHT}"/>')
    return parts


def _thinned(samples: Sequence[Sample], value: Callable[[Sample], float]) -> list[Sample]:
    """The highest of each few neighbours: peaks are what one looks for."""
    size = math.ceil(len(samples) / MAX_POINTS) or 1
    return [max(samples[first : first + size], key=value) for first in range(0, len(samples), size)]


def _nice(value: float) -> float:
    """The next of 1, 2, 2.5, 4, 5 and 10 times a power of ten, so that quarters of it are short to write."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 4, 5, 10) if factor * power >= value * (1 - 1e-9))
