"""`leanfleet demo`: the main job, done once on this computer and checked."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from producer.checking import Checked, check_texts
from producer.client import Client
from producer.commands.terminal import log_to, printable, progress_bar
from producer.errors import InvalidInputError
from producer.files import Text, read_texts
from producer.settings import Settings, load_settings
from tasks.stack.fleet import Fleet, FleetOptions, exported, interruptible, tended

ALL_AS_EXPECTED = 0
SOME_NOT = 1
INTERRUPTED = 130
_EXAMPLES = Path(__file__).resolve().parents[1] / "theorems.jsonl"
_MAX_SURPRISES_SHOWN = 20


def demo(
    *,
    file: Annotated[Path, typer.Option(help="Texts to check, each with what is expected of it.")] = _EXAMPLES,
    machines: Annotated[int, typer.Option(min=1, help="Worker processes, each with REPLs of its own.")] = 2,
    repls: Annotated[int, typer.Option(min=1, help="REPLs on each.")] = 1,
) -> None:
    """Check the example theorems on a fleet on this computer.

    It is started for the purpose; what came of the theorems is shown.

    Exit codes: 0 every text ended as is expected of it; 1 some did not; 2 the fleet could not be run; 130 interrupted.
    """
    console = Console(highlight=False, soft_wrap=True)
    log_to(console)
    settings = load_settings()
    texts, problems = read_texts([file], settings)
    if problems:
        raise InvalidInputError("\n".join(problems))
    try:
        with interruptible():
            checked = _run(console, settings, FleetOptions(machines=machines, repls=repls), texts)
    except KeyboardInterrupt:
        console.print("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None
    console.print(outcomes_table(checked))
    console.print(times_table(checked))
    surprises = [each for each in checked if not each.is_fine]
    for each in surprises[:_MAX_SURPRISES_SHOWN]:
        found = f"{each.judgement.verdict}, {each.judgement.outcome}: {'; '.join(each.judgement.reasons)}"
        console.print(printable(f"not as expected: {each.text.id}: {found}"), markup=False)
    console.print(f"{len(checked) - len(surprises)} of {len(texts)} ended as expected.")
    raise typer.Exit(ALL_AS_EXPECTED if not surprises and len(checked) == len(texts) else SOME_NOT)


def _run(console: Console, settings: Settings, options: FleetOptions, texts: Sequence[Text]) -> list[Checked]:
    console.print(f"Starting Valkey, SeaweedFS, {options.machines} workers with Lean, and Flower …")
    with Fleet(settings, options) as fleet, exported(fleet), tended(fleet):
        if fleet.flower is not None:
            console.print(f"Flower shows each operation: {fleet.flower.url}")
        return asyncio.run(_check(console, fleet.settings, texts))


async def _check(console: Console, settings: Settings, texts: Sequence[Text]) -> list[Checked]:
    checked = []
    bar = progress_bar(console)
    step = bar.add_task("checking proofs", total=len(texts), note="")
    async with Client(settings) as client:
        with bar:
            async with contextlib.aclosing(check_texts(client, texts)) as stream:
                async for each in stream:
                    checked.append(each)
                    bar.update(step, advance=1, note=each.text.id)
    return checked


def outcomes_table(checked: Iterable[Checked]) -> Table:
    """How many texts ended in which way, and how many of them as expected."""
    groups: dict[tuple[str, str, str], list[Checked]] = defaultdict(list)
    for each in checked:
        reason = each.judgement.reasons[0].partition(":")[0] if each.judgement.reasons else ""
        # A reason that only repeats the outcome is noise.
        groups[each.judgement.verdict, each.judgement.outcome, reason * (reason != each.judgement.outcome)].append(each)
    table = Table(title="What became of them")
    for heading in ("verdict", "outcome", "reason"):
        table.add_column(heading, no_wrap=True)
    for heading in ("texts", "expected", "ms in Lean"):
        table.add_column(heading, justify="right")
    for key, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        fine = sum(each.is_fine for each in group)
        table.add_row(
            *key, str(len(group)), str(fine), f"{median(each.result.timing.lean_seconds for each in group) * 1e3:.1f}"
        )
    return table


def times_table(checked: Sequence[Checked]) -> Table:
    """Where the time went."""
    table = Table(title="Where time went, in seconds a text; all were handed in at once")
    table.add_column("")
    for heading in ("median", "longest", "sum"):
        table.add_column(heading, justify="right")
    timings = [each.result.timing for each in checked]
    rows = {
        "in the queue": [timing.queued_seconds for timing in timings],
        "waiting for a REPL": [timing.waiting_seconds for timing in timings],
        "restoring": [timing.restoring_seconds for timing in timings],
        "in Lean": [timing.lean_seconds for timing in timings],
        "in all, as the client saw it": [timing.total_seconds for timing in timings],
    }
    for name, seconds in rows.items():
        if seconds:
            table.add_row(name, f"{median(seconds):.4f}", f"{max(seconds):.3f}", f"{sum(seconds):.2f}")
    return table
