"""Which fault comes when: all drawn from a seed, so that what broke something once breaks it again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

KILL_WORKER = "kill_worker"  # SIGKILL to the process group, as a machine that vanishes
FREEZE_WORKER = "freeze_worker"  # SIGSTOP, SIGCONT after `seconds`: a machine that hangs, then goes on
DRAIN_WORKER = "drain_worker"  # SIGTERM, as at a spot notice
KILL_BROKER = "kill_broker"  # SIGKILL, started again on its data after `seconds`
FREEZE_BROKER = "freeze_broker"  # SIGSTOP, SIGCONT after `seconds`
CUT_NETWORK = "cut_network"  # connections of all workers break, and new ones are refused for `seconds`
KINDS = (KILL_WORKER, FREEZE_WORKER, DRAIN_WORKER, KILL_BROKER, FREEZE_BROKER, CUT_NETWORK)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`at_seconds` counts from the beginning; `draw` in [0, 1) picks among the workers that there are."""

    at_seconds: float
    kind: str
    seconds: float
    draw: float

    def __str__(self) -> str:
        return f"{self.at_seconds:7.2f} s  {self.kind} ({self.seconds:.1f} s, {self.draw:.3f})"


def make_schedule(
    seed: int, *, for_seconds: float, every_seconds: float, kinds: Sequence[str] = KINDS, weights: Sequence[float] = ()
) -> list[Fault]:
    """Faults at random intervals around `every_seconds`; durations reach well beyond a lease of two seconds."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    at = 0.0
    while True:
        at += chance.uniform(0.5, 1.5) * every_seconds
        if at >= for_seconds:
            return faults
        (kind,) = chance.choices(kinds, weights or None)
        faults.append(Fault(at_seconds=at, kind=kind, seconds=chance.uniform(0.3, 5.0), draw=chance.random()))


def kills_and_restarts(seed: int, *, for_seconds: float = 3600.0, every_seconds: float = 3.0) -> list[Fault]:
    """The trial that a release must pass: a worker killed every three seconds, and the broker restarted twice."""
    chance = random.Random(seed)
    kills = make_schedule(seed, for_seconds=for_seconds, every_seconds=every_seconds, kinds=(KILL_WORKER,))
    restarts = [
        Fault(at_seconds=chance.uniform(*within), kind=KILL_BROKER, seconds=chance.uniform(0.5, 3.0), draw=0.0)
        for within in ((8, 20), (25, 45))
    ]
    return sorted([*kills, *restarts], key=lambda fault: fault.at_seconds)
