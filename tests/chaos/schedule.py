"""Which fault comes when: all drawn from a seed, so that what broke something once breaks it again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

KILL_WORKER = "kill_worker"  # SIGKILL to the process group, as a machine that vanishes
FREEZE_WORKER = "freeze_worker"  # SIGSTOP, SIGCONT after `seconds`: a machine that hangs, then goes on
DRAIN_WORKER = "drain_worker"  # SIGTERM, as at a spot notice
JUMP_CLOCK = "jump_clock"  # a worker's wall clock goes wrong by hours, and comes back after `seconds`
FILL_DISK = "fill_disk"  # a worker and its REPLs can write no file for `seconds`
KILL_BROKER = "kill_broker"  # SIGKILL, started again on its data after `seconds`
FREEZE_BROKER = "freeze_broker"  # SIGSTOP, SIGCONT after `seconds`
FILL_BROKER = "fill_broker"  # it takes nothing more for `seconds`: out of memory, without eviction
SLOW_BROKER = "slow_broker"  # everything takes a while longer on its way, for `seconds`
CUT_NETWORK = "cut_network"  # connections to the broker break, and new ones are refused for `seconds`
HALF_OPEN = "half_open"  # connections to the broker die without a word; new ones work
LOSE_ANSWERS = "lose_answers"  # for `seconds` the broker does what it is asked, and the answer is lost
STORE_ERRORS = "store_errors"  # the store answers 500 or 503 for `seconds`
SLOW_STORE = "slow_store"
STORE_AWAY = "store_away"
LOSE_STORE_ANSWERS = "lose_store_answers"  # objects are written, and whoever wrote does not hear of it

WORKER_KINDS = (KILL_WORKER, FREEZE_WORKER, DRAIN_WORKER, JUMP_CLOCK, FILL_DISK)
BROKER_KINDS = (KILL_BROKER, FREEZE_BROKER, FILL_BROKER, SLOW_BROKER, CUT_NETWORK, HALF_OPEN, LOSE_ANSWERS)
STORE_KINDS = (STORE_ERRORS, SLOW_STORE, STORE_AWAY, LOSE_STORE_ANSWERS)
KINDS = WORKER_KINDS + BROKER_KINDS + STORE_KINDS

_TYPICAL_SECONDS = 2.0


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
    seed: int,
    *,
    for_seconds: float,
    every_seconds: float,
    kinds: Sequence[str] = KINDS,
    weights: Sequence[float] = (),
    longest_seconds: float = 5.0,
) -> list[Fault]:
    """Faults at random intervals around `every_seconds`.

    Most last for a few seconds and so go beyond a lease of two; one in ten is `longest_seconds` long.
    """
    chance = random.Random(seed)
    faults: list[Fault] = []
    at = 0.0
    while True:
        at += chance.uniform(0.5, 1.5) * every_seconds
        if at >= for_seconds:
            return faults
        (kind,) = chance.choices(kinds, weights or None)
        seconds = min(longest_seconds, 0.3 + chance.expovariate(1 / _TYPICAL_SECONDS))
        if chance.random() < 0.1:
            seconds = longest_seconds
        faults.append(Fault(at_seconds=at, kind=kind, seconds=seconds, draw=chance.random()))


def in_turn(*kinds: str, every_seconds: float, seconds: float, seed: int) -> list[Fault]:
    """Each of the kinds once, one after the other: for small trials, in which chance would leave some out."""
    chance = random.Random(seed)
    return [
        Fault(at_seconds=(place + 1) * every_seconds, kind=kind, seconds=seconds, draw=chance.random())
        for place, kind in enumerate(kinds)
    ]


def kills_and_restarts(seed: int, *, for_seconds: float = 3600.0, every_seconds: float = 3.0) -> list[Fault]:
    """The trial that a release must pass: a worker killed every three seconds, and the broker restarted twice."""
    chance = random.Random(seed)
    kills = make_schedule(seed, for_seconds=for_seconds, every_seconds=every_seconds, kinds=(KILL_WORKER,))
    restarts = [
        Fault(at_seconds=chance.uniform(*within), kind=KILL_BROKER, seconds=chance.uniform(0.5, 3.0), draw=0.0)
        for within in ((8, 20), (25, 45))
    ]
    return sorted([*kills, *restarts], key=lambda fault: fault.at_seconds)
