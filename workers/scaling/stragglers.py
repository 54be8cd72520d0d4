"""What large machines cost where some operations take long: their slots stand idle until the last one is done.

A machine that takes no more work is paid for until its last operation has ended. The more slots it has, the longer it
waits for the slowest of them, and the more of them wait.
"""

from collections.abc import Mapping
from itertools import pairwise


def idle_seconds(durations: Mapping[float, float], slots: int) -> float:
    """How long a slot of a machine stands idle, on average, from when it takes no more work until it is empty.

    At any moment, what remains of an operation that runs is distributed as F(t) = ∫₀ᵗ P(X > x) dx / E[X] (the
    equilibrium distribution of renewal theory). The machine is empty after the greatest of `slots` such remainders, a
    slot after one of them: E[max] - E[one] = ∫ (F - F^slots) dt.

    Args:
        durations: how long operations took, in seconds → how many did.
        slots: of the machine.
    """
    steps = sorted((seconds, count) for seconds, count in durations.items() if seconds > 0 and count > 0)
    total = sum(count for _, count in steps)
    mean = sum(seconds * count for seconds, count in steps) / total if total else 0.0
    if not mean:
        return 0.0
    # P(X > x) is a staircase, so F is made of straight lines.
    idle, done, longer = 0.0, 0.0, 1.0
    for (begin, _), (end, count) in pairwise([(0.0, 0.0), *steps]):
        after = min(done + longer * (end - begin) / mean, 1.0)
        idle += (end - begin) * (_mean_power(done, after, 1) - _mean_power(done, after, slots))
        done, longer = after, longer - count / total
    return max(idle, 0.0)


def _mean_power(low: float, high: float, power: int) -> float:
    """The mean of x^power over [low, high]."""
    if high - low < 1e-12:  # noqa: PLR2004 - where the quotient below would be noise
        return low**power
    return float((high ** (power + 1) - low ** (power + 1)) / ((power + 1) * (high - low)))
