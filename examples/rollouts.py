"""Rollouts for reinforcement learning: a policy samples k tactics a state, the fleet tries them, many episodes at once.

    python examples/rollouts.py                     # starts two workers on this computer
    LEANFLEET_BROKER_URL=… python examples/rollouts.py --configured

The policy here is a list and a coin; put a model in its place. What a training loop needs of leanfleet is in `episode`:
one `run_code` to get the first state, one `run_tactics` a step. Everything else is bookkeeping.
"""

import argparse
import asyncio
import json
import logging
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live

import leanfleet

THEOREMS = (
    "(p q : Prop) (hp : p) (hq : q) : p ∧ q",
    "(p q : Prop) (h : p ∧ q) : q ∧ p",
    "(p q r : Prop) (h : p ∧ q ∧ r) : r ∧ p",
    "(p q : Prop) (h : p ∨ q) : q ∨ p",
    "(p q r : Prop) (f : p → q) (g : q → r) (h : p) : r",
    "(p : Prop) (h : p) : ¬ ¬ p",
    "(p q : Prop) (h : p → q) : ¬ q → ¬ p",
    "(p q : Prop) : p → q → p",
)
TACTICS = (
    "assumption",
    "constructor",
    "intro x",
    "intro x y",
    "exact h.1",
    "exact h.2",
    "exact h.2.2",
    "exact ⟨h.2, h.1⟩",
    "cases h",
    "left",
    "right",
    "apply h",
    "apply g",
    "apply f",
    "exact x h",
    "exact x (h (by assumption))",
    "exact h.elim Or.inr Or.inl",
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a policy learns from: the tactic that was taken in a state. Neither holds on to a worker."""

    state: leanfleet.StateRef
    goals: tuple[str, ...]
    tactic: str


@dataclass(frozen=True, kw_only=True)
class Episode:
    theorem: str
    steps: tuple[Step, ...]
    reward: float


@dataclass
class Tally:
    """The progress line. `busy_seconds` is what REPLs spent on our operations."""

    started: float = field(default_factory=time.monotonic)
    episodes: list[Episode] = field(default_factory=list)
    operations: int = 0
    tactics: int = 0
    busy_seconds: float = 0.0
    repls: int = 0
    left_out: int = 0

    def add(self, result: leanfleet.AnyResult) -> None:
        self.operations += 1
        self.busy_seconds += result.timing.restoring_seconds + result.timing.lean_seconds

    def __str__(self) -> str:
        seconds = max(1e-9, time.monotonic() - self.started)
        at_once = self.busy_seconds / seconds
        busy = f"{at_once / self.repls:.0%}" if self.repls else f"{at_once:.1f} at a time"
        solved = sum(episode.reward for episode in self.episodes)
        left_out = f"{self.left_out} left out, " if self.left_out else ""
        return (
            f"{len(self.episodes)} episodes, {solved:.0f} solved, {left_out}"
            f"{self.operations / seconds:.0f} operations/s, {self.tactics / seconds:.0f} tactics/s, REPLs busy {busy}"
        )


class Policy:
    """Stands for a model: it proposes and chooses."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def sample(self, goals: tuple[str, ...], k: int) -> list[str]:  # noqa: ARG002 - a model would look at the goals
        return self._random.sample(TACTICS, k)

    def choose(self, results: list[tuple[str, leanfleet.TacticResult]]) -> tuple[str, leanfleet.TacticResult]:
        complete = [each for each in results if each[1].is_complete]
        return self._random.choice(complete or results)


async def episode(
    fleet: leanfleet.Client, policy: Policy, theorem: str, *, k: int, depth: int, tally: Tally
) -> Episode | None:
    """Sample a proof, a step at a time; None where an operation ended in a way that is not the policy's doing."""
    begun = await fleet.run_code(f"theorem rollout {theorem} := by sorry")
    tally.add(begun)
    if not begun.sorries:  # its REPL died, or it took too long: no state to begin with
        return None
    steps: list[Step] = []
    state = begun.sorries[0].state
    goals: tuple[str, ...] = (begun.sorries[0].goal,)
    while state is not None and len(steps) < depth:
        tactics = policy.sample(goals, k)
        result = await fleet.run_tactics(state, tactics, timeout_seconds=5)
        tally.add(result)
        tally.tactics += len(tactics)
        if result.outcome.retry_can_help or result.outcome.larger_limits_can_help:
            return None
        good = [(tactic, tried) for tactic, tried in zip(tactics, result.tactics, strict=False) if tried.ok]
        if not good:
            break
        tactic, tried = policy.choose(good)
        steps.append(Step(state=state, goals=goals, tactic=tactic))
        if tried.is_complete:
            return Episode(theorem=theorem, steps=tuple(steps), reward=1.0)
        state, goals = tried.state, tried.goals
    return Episode(theorem=theorem, steps=tuple(steps), reward=0.0)


async def rollouts(fleet: leanfleet.Client, tally: Tally, arguments: argparse.Namespace) -> None:
    """Episodes, as many side by side as keep the fleet busy: they wait for it, and cost no thread."""
    policy = Policy(arguments.seed)
    slots = asyncio.Semaphore(arguments.at_once)

    async def one(number: int) -> None:
        async with slots:
            theorem = THEOREMS[number % len(THEOREMS)]
            ended = await episode(fleet, policy, theorem, k=arguments.k, depth=arguments.depth, tally=tally)
            if ended is None:
                tally.left_out += 1
            else:
                tally.episodes.append(ended)

    async with asyncio.TaskGroup() as group:
        for number in range(arguments.episodes):
            group.create_task(one(number))


async def repls_of_the_fleet() -> int:
    """How many REPLs may work, as the workers report it; 0 where the status cannot be had from here."""
    command = [sys.executable, "-m", "leanfleet", "status", "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    return int(json.loads(said)["repls"]) if said.startswith(b"{") else 0


@contextmanager
def fleet_settings(*, configured: bool) -> Iterator[leanfleet.Settings]:
    """Those of the configured fleet, or of one with two workers that is started here and stopped at the end."""
    settings = leanfleet.load_settings()
    if configured:
        yield settings
        return
    # A training loop has the client alone.
    from tasks.stack.fleet import Fleet, FleetOptions, exported, interruptible, tended  # noqa: PLC0415

    options = FleetOptions(machines=2, repls=1, s3=False, flower=False)
    with interruptible(), Fleet(settings, options) as fleet, exported(fleet), tended(fleet):
        yield fleet.settings


async def run(settings: leanfleet.Settings, arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    async with leanfleet.connect(settings=settings) as fleet:
        tally = Tally(repls=arguments.repls or (await repls_of_the_fleet() if arguments.configured else 2))
        with Live(console=console, get_renderable=lambda: str(tally), refresh_per_second=5, transient=True):
            await rollouts(fleet, tally, arguments)
        console.print(str(tally), markup=False)
    return 0 if tally.episodes else 1


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def main() -> int | str:
    parser = argparse.ArgumentParser(description="Sample proofs with a policy that knows nothing.")
    parser.add_argument("--episodes", type=positive, default=400)
    parser.add_argument("--at-once", type=positive, default=64, help="episodes side by side")
    parser.add_argument(
        "-k",
        type=int,
        choices=range(1, len(TACTICS) + 1),
        metavar="K",
        default=8,
        help="tactics to sample in each state",
    )
    parser.add_argument("--depth", type=positive, default=6, help="the most steps of an episode")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--repls", type=positive, help="of the configured fleet, for the busy share; else its workers are asked"
    )
    parser.add_argument("--configured", action="store_true", help="use the fleet that the settings name")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(levelname)s: %(message)s")  # a broker that is away is a warning, and waited for
    try:
        with fleet_settings(configured=arguments.configured) as settings:
            return asyncio.run(run(settings, arguments))
    except* KeyboardInterrupt:
        status: int | str = 130
    except* leanfleet.LeanFleetError as failed:  # a group, where it ended the episodes
        status = f"error: {failed.exceptions[0]}"
    return status


if __name__ == "__main__":
    sys.exit(main())
