"""Best-first search for proofs, through the public client: many small trees at once, on whichever worker is free.

    python examples/best_first_search.py            # starts two workers on this computer; takes some minutes
    python examples/best_first_search.py --limit 40
    LEANFLEET_BROKER_URL=… python examples/best_first_search.py --configured

A node is a proof state, an edge a tactic. The state whose goals are shortest is tried first: each of a fixed list of
tactics, in one message. Every proof that is found is checked once more as a whole text.
"""

import argparse
import asyncio
import heapq
import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live

import leanfleet

TACTICS = (
    "assumption",
    "rfl",
    "trivial",
    "contradiction",
    "intro h",
    "intro x",
    "constructor",
    "left",
    "right",
    "exfalso",
    "funext x",
    "simp",
    "simp_all",
    "decide",
    "omega",
    "split",
    "apply Classical.byContradiction",
    "apply h",
    "exact h.1",
    "exact h.2",
    "cases h",
    "obtain ⟨x, h⟩ := h",
    "exact h rfl",
    "exact h.symm",
    "rw [h]",
    "rw [← h]",
    "induction n",
    "induction xs",
    "cases n",
    "cases xs",
    "congr",
)
MAX_EXPANSIONS = 60
THEOREMS_AT_ONCE = 16


@dataclass(frozen=True)
class Statement:
    """A theorem without its proof. `context` is what must be elaborated before it."""

    name: str
    context: str
    theorem: str

    def text(self, proof: tuple[str, ...]) -> str:
        lines = "\n".join(f"  {tactic}" for tactic in proof)
        return f"{self.context}{self.theorem} := by\n{lines}"


@dataclass
class Tally:
    """What all searches did together, for the live display."""

    total: int
    trees: int = 0
    states: int = 0
    tactics: int = 0
    finished: int = 0
    proofs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.trees} trees growing, {self.finished}/{self.total} done, {len(self.proofs)} proofs, "
            f"{self.states:,} states, {self.tactics:,} tactics tried"
        )


def split_statement(name: str, code: str) -> Statement | None:
    """The last theorem of a text without its proof; None where the text ends with something else."""
    start = code.rfind("theorem ")
    if start < 0 or (start > 0 and code[start - 1] != "\n"):
        return None
    depth = 0
    for place in range(start, len(code)):
        depth += (code[place] in "([{⟨") - (code[place] in ")]}⟩")
        if depth == 0 and code.startswith(":=", place):
            return Statement(name=name, context=code[:start], theorem=code[start:place].rstrip())
    return None


def read_statements(path: Path) -> Iterator[Statement]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            name, code, expected = row["id"], row.get("header", "") + row["code"], row.get("expect", {})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise leanfleet.InvalidInputError(f'{path}:{number}: is no object with "id" and "code"') from None
        if expected.get("verdict") == "proved" and (statement := split_statement(name, code)):
            yield statement


async def search(fleet: leanfleet.Client, statement: Statement, tally: Tally) -> tuple[str, ...] | None:
    """The tactics of a proof, or None where none was found."""
    first = await fleet.run_code(f"{statement.context}{statement.theorem} := by sorry")
    if not first.sorries or first.sorries[-1].state is None:
        return None
    goal, state = first.sorries[-1].goal, first.sorries[-1].state
    order = itertools.count()
    # (length of the goals and of the proof so far, order of arrival, state, proof)
    queue: list[tuple[int, int, leanfleet.StateRef, tuple[str, ...]]] = [(len(goal), next(order), state, ())]
    seen: set[tuple[str, ...]] = {(goal,)}
    for _ in range(MAX_EXPANSIONS):
        if not queue:
            return None
        _, _, state, proof = heapq.heappop(queue)
        result = await fleet.run_tactics(state, TACTICS, timeout_seconds=5)
        tally.tactics += len(result.tactics)
        for tactic, tried in zip(TACTICS, result.tactics, strict=False):
            if tried.is_complete:
                return (*proof, tactic)
            if tried.ok and tried.state is not None and tried.goals not in seen:
                seen.add(tried.goals)
                tally.states += 1
                rank = sum(map(len, tried.goals)) + 10 * len(proof)
                heapq.heappush(queue, (rank, next(order), tried.state, (*proof, tactic)))
    return None


async def prove(fleet: leanfleet.Client, statement: Statement, tally: Tally, slots: asyncio.Semaphore) -> None:
    async with slots:
        tally.trees += 1
        try:
            proof = await search(fleet, statement, tally)
            if proof is not None:
                # Tactic mode has accepted wrong proofs before: only the whole text counts.
                checked = await fleet.run_code(statement.text(proof))
                warned = any("sorry" in message.data for message in checked.messages)
                if checked.ok and not checked.errors and not warned:
                    tally.proofs[statement.name] = proof
        finally:
            tally.trees -= 1
            tally.finished += 1


async def prove_all(fleet: leanfleet.Client, statements: list[Statement], console: Console) -> Tally:
    tally = Tally(total=len(statements))
    slots = asyncio.Semaphore(THEOREMS_AT_ONCE)
    with Live(console=console, get_renderable=lambda: str(tally), refresh_per_second=5, transient=True):
        async with asyncio.TaskGroup() as group:
            for statement in statements:
                group.create_task(prove(fleet, statement, tally, slots))
    return tally


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


async def run(settings: leanfleet.Settings, statements: list[Statement]) -> Tally:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{len(statements)} theorems, {len(TACTICS)} tactics")
    async with leanfleet.connect(settings=settings) as fleet:
        tally = await prove_all(fleet, statements, console)
    for name, proof in sorted(tally.proofs.items()):
        console.print(f"{name}: {'; '.join(proof)}", markup=False)
    console.print(f"{tally}; {len(tally.proofs)} proofs checked again in command mode", markup=False)
    return tally


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def main() -> int | str:
    parser = argparse.ArgumentParser(description="Search for proofs of the example theorems.")
    parser.add_argument("--theorems", type=Path, default=Path(__file__).with_name("theorems.jsonl"))
    parser.add_argument("--limit", type=positive, help="only the first so many")
    parser.add_argument("--at-least", type=int, default=1, help="fewer proofs than that are a failure (exit code 1)")
    parser.add_argument("--configured", action="store_true", help="use the fleet that the settings name")
    arguments = parser.parse_args()
    try:
        statements = list(itertools.islice(read_statements(arguments.theorems), arguments.limit))
        with fleet_settings(configured=arguments.configured) as settings:
            found = len(asyncio.run(run(settings, statements)).proofs)
    except* KeyboardInterrupt:
        status: int | str = 130
    except* (leanfleet.LeanFleetError, OSError, UnicodeDecodeError) as failed:  # a group, where it ended the searches
        status = f"error: {failed.exceptions[0]}"
    else:
        few = f"error: {found} proofs were found, and --at-least {arguments.at_least} expected"
        status = 0 if found >= arguments.at_least else few
    return status


if __name__ == "__main__":
    sys.exit(main())
