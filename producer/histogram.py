"""Durations, counted in buckets: cheap to add to, and enough to draw any percentile that an operator asks for."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

# From one step of a tactic to the longest proof. More buckets would mean more series for each worker of a large fleet.
BOUNDS_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Histogram:
    """Adding costs half a microsecond. Not thread-safe; a reader in another thread may see the last one in part."""

    __slots__ = ("_counts", "total_seconds")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self.total_seconds = 0.0

    def __repr__(self) -> str:
        return f"<Histogram of {self.count}, {self.total_seconds:.3f} s>"

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    def cumulative(self) -> list[tuple[str, int]]:
        """As Prometheus has it: for each bound, written as a label's value, how many took at most as long."""
        labels = (*(f"{bound:g}" for bound in BOUNDS_SECONDS), "+Inf")
        return list(zip(labels, accumulate(self._counts), strict=True))

    def quantile(self, share: float) -> float:
        """An upper bound for the fastest `share` of all, in seconds; 0 for none at all, and infinite past the last."""
        return _quantile(self._counts, share)


def _quantile(counts: Sequence[int], share: float) -> float:
    wanted = share * sum(counts)
    if not wanted:
        return 0.0
    for bound, seen in zip(BOUNDS_SECONDS, accumulate(counts), strict=False):
        if seen >= wanted:
            return bound
    return float("inf")
