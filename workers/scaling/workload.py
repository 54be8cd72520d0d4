"""The operations of a scenario, drawn once, so that every rule is tried on the very same ones."""

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from random import Random
from typing import assert_never

from workers.scaling.scenario import Burst, Daily, Scenario, Steady, Steps

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Workload:
    """Operations in the order of their arrival: when, which kind (an index into `kinds`), how long on a slot."""

    kinds: tuple[str, ...]
    arrived: Sequence[float]
    kind: bytes
    seconds: Sequence[float]

    def __len__(self) -> int:
        return len(self.arrived)

    @property
    def mean_seconds(self) -> float:
        return sum(self.seconds) / len(self) if len(self) else 0.0

    def peak_seconds(self, window_seconds: float) -> float:
        """The most slot-seconds that arrive within any `window_seconds`."""
        done = [0.0, *accumulate(self.seconds)]
        first, peak = 0, 0.0
        for last, at in enumerate(self.arrived):
            while self.arrived[first] < at - window_seconds:
                first += 1
            peak = max(peak, done[last + 1] - done[first])
        return peak


def draw_workload(scenario: Scenario, *, seed: int | None = None) -> Workload:
    """Draw all operations; equal seeds give equal operations on every machine and Python."""
    seed = scenario.seed if seed is None else seed
    # Strings seed a generator by their SHA-512: one stream for each purpose, so that a change of one moves no other.
    streams = [
        _times(each, Random(f"{seed}/arrivals/{index}"))  # noqa: S311 - a simulation
        for index, each in enumerate(scenario.arrivals)
    ]
    # Not each stream is in order by itself: steps may overlap.
    arrived = array("d", sorted(chain.from_iterable(streams)))
    kinds = tuple(scenario.operations)
    weights = list(accumulate(scenario.operations[kind].share for kind in kinds))
    which = Random(f"{seed}/kinds")  # noqa: S311 - a simulation
    kind = bytes(which.choices(range(len(kinds)), cum_weights=weights, k=len(arrived)))
    random = Random(f"{seed}/seconds")  # noqa: S311 - a simulation
    draws = [(scenario.operations[name].seconds.draw, scenario.operations[name].timeout_seconds) for name in kinds]
    seconds = array("d", bytes(8 * len(arrived)))
    for index, number in enumerate(kind):
        draw, limit = draws[number]
        seconds[index] = min(draw(random), limit)
    return Workload(kinds=kinds, arrived=arrived, kind=kind, seconds=seconds)


def _times(arrivals: Burst | Steady | Steps | Daily, random: Random) -> Iterator[float]:
    match arrivals:
        case Burst():
            yield from _spread(arrivals.at_seconds, arrivals.operations, arrivals.over_seconds)
        case Steps():
            at = arrivals.from_seconds
            while at < arrivals.until_seconds:
                yield from _spread(at, arrivals.operations, arrivals.over_seconds)
                at += arrivals.every_seconds
        case Steady():
            at = arrivals.from_seconds
            while (at := at + random.expovariate(arrivals.per_second)) < arrivals.until_seconds:
                yield at
        case Daily():
            at = 0.0
            while (at := at + random.expovariate(arrivals.high_per_second)) < arrivals.until_seconds:
                swing = (1 - math.cos(2 * math.pi * at / DAY_SECONDS)) / 2
                rate = arrivals.low_per_second + (arrivals.high_per_second - arrivals.low_per_second) * swing
                if random.random() * arrivals.high_per_second < rate:
                    yield at
        case _:
            assert_never(arrivals)


def _spread(at: float, operations: int, over_seconds: float) -> Iterator[float]:
    for index in range(operations):
        yield at + over_seconds * index / operations
