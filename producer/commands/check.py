"""`leanfleet check`: are these texts proofs?"""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace
from rich.console import Console

from producer.checking import Checked, check_texts
from producer.client import Client
from producer.commands.joined import Joined
from producer.commands.options import memory_size
from producer.commands.terminal import log_to, printable, progress_bar, stderr_console
from producer.errors import LeanFleetError
from producer.files import Text, read_texts
from producer.settings import Settings, load_settings
from producer.tracing import set_up

if TYPE_CHECKING:
    from producer.judgement import Verdict

ALL_FINE = 0
SOME_NOT = 1
COULD_NOT_RUN = 2
INTERRUPTED = 130  # as shells count Ctrl-C

MAX_PROBLEMS_SHOWN = 100
# A fleet that starts from nothing may well take minutes; who waits should know that it is waited for.
QUIET_SECONDS = 20.0


def check(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help=".lean files, and .jsonl files.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each result.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.001, help="Time limit for each text that names none itself."),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(metavar="SIZE", parser=memory_size, help="Memory limit for each text, as in 2GiB."),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.001, help="Longest wait for one answer, queue included; else no limit."),
    ] = None,
) -> None:
    """Check proofs, on the configured fleet or on one started here.

    A text is proved when Lean accepts it in a fresh environment, it declares a theorem by name, contains no sorry, and
    rests on no axioms but propext, Classical.choice and Quot.sound; or, where it comes with a statement, when it proves
    that. Theorems are judged by a kernel that the text cannot reach, where the workers' REPL has such a thing.

    A .lean file is one text. Each line of a .jsonl file is one: an object with "id" and "code", and perhaps
    "statement" (Lean text that declares the theorem to prove, with sorry for its proof), "header" (put before code and
    statement), "timeout_seconds", "memory_bytes", and "expect": an object that says by "verdict", "outcome" and
    "reason" (the beginning of one) how the text is to end.

    With --json each line has id, verdict (proved, not_proved, or error: there is no verdict), outcome, reasons and
    seconds, and as_expected where something was expected. Lines come in the order in which results do.

    Exit codes: 0 every text is proved, or ended as was expected of it; 1 some are not; 2 nothing could be run: wrong
    input, no broker; 130 interrupted.
    """
    console = stderr_console()
    log_to(console)
    set_up("leanfleet")
    settings = load_settings()
    if timeout is not None:
        settings = replace(settings, timeout_seconds=timeout)
    if memory is not None:
        settings = replace(settings, memory_bytes=memory)
    texts, problems = read_texts(files, settings)
    if problems:
        for problem in problems[:MAX_PROBLEMS_SHOWN]:
            console.print(f"error: {printable(problem)}", markup=False)
        if (more := len(problems) - MAX_PROBLEMS_SHOWN) > 0:
            console.print(f"error: and {more:,} more", markup=False)
        console.print("Nothing was checked.", markup=False)
        raise typer.Exit(COULD_NOT_RUN)
    joined: Joined = context.obj
    report = _Report(console, total=len(texts), as_json=as_json)
    try:
        with _fleet(joined, settings, console) as reached:
            asyncio.run(_check(reached, texts, report, deadline_seconds=deadline))
    except KeyboardInterrupt:
        console.print(f"Interrupted: {report.done} of {len(texts)} were checked.", markup=False)
        raise typer.Exit(INTERRUPTED) from None
    except LeanFleetError as error:
        console.print(f"error: {printable(error.message)}", markup=False)
        raise typer.Exit(COULD_NOT_RUN) from error
    console.print(report.summary(), markup=False)
    raise typer.Exit(ALL_FINE if report.all_fine else SOME_NOT)


@contextlib.contextmanager
def _fleet(joined: Joined, settings: Settings, console: Console) -> Iterator[Settings]:
    if settings.broker_url:
        yield settings
        return
    if console.is_terminal:
        console.print("No broker is configured: starting a fleet on this computer.", markup=False)
    with contextlib.ExitStack() as stack:
        try:
            reached = stack.enter_context(joined.local_fleet(settings))
        except LeanFleetError as error:
            raise error.with_context(
                "no broker is configured (LEANFLEET_BROKER_URL), and no fleet can be started on this computer"
            ) from error
        yield reached


class _Report:
    """Prints results as they come and keeps count."""

    def __init__(self, console: Console, *, total: int, as_json: bool) -> None:
        self.console = console
        self._total = total
        self._as_json = as_json
        self._counts: Counter[Verdict] = Counter()
        self._unexpected = 0
        self._started = time.monotonic()
        self.all_fine = True

    @property
    def done(self) -> int:
        return self._counts.total()

    def add(self, checked: Checked) -> None:
        self._counts[checked.judgement.verdict] += 1
        self._unexpected += checked.as_expected is False
        self.all_fine &= checked.is_fine
        sys.stdout.write((checked.to_json().decode() if self._as_json else _line(checked)) + "\n")
        sys.stdout.flush()

    def note(self) -> str:
        return ", ".join(f"{number} {verdict.replace('_', ' ')}" for verdict, number in sorted(self._counts.items()))

    def summary(self) -> str:
        parts = [self.note()]
        if self._unexpected:
            parts.append(f"{self._unexpected} not as expected")
        return f"{', '.join(parts)}; {self._total} in {time.monotonic() - self._started:.1f} s"


def _line(checked: Checked) -> str:
    words = [f"{checked.judgement.verdict:<10}", f"{checked.seconds:7.2f} s ", checked.text.id]
    if checked.as_expected is not None:
        words.append("(as expected)" if checked.as_expected else "(NOT as expected)")
    lines = [line for reason in checked.judgement.reasons for line in reason.splitlines()]
    return printable(" ".join([*words, *(f"\n{'':22}{line}" for line in lines)]))


async def _check(settings: Settings, texts: list[Text], report: _Report, *, deadline_seconds: float | None) -> None:
    console = report.console
    bar = progress_bar(console)
    step = bar.add_task("checking", total=len(texts), note="")
    async with Client(settings) as fleet:
        stream = check_texts(fleet, texts, deadline_seconds=deadline_seconds)
        hint = asyncio.get_running_loop().call_later(QUIET_SECONDS, _hint, console, fleet)
        try:
            with bar:
                async with contextlib.aclosing(stream):
                    async for checked in stream:
                        hint.cancel()
                        report.add(checked)
                        bar.update(step, advance=1, note=report.note())
        finally:
            hint.cancel()


def _hint(console: Console, fleet: Client) -> None:
    if fleet.is_waiting_for_broker:
        console.print(
            f"No answer for {QUIET_SECONDS:g} s: the broker is away, and is waited for. "
            "Ctrl-C ends the wait; --deadline bounds it.",
            markup=False,
        )
        return
    console.print(
        f"No answer for {QUIET_SECONDS:g} s: are workers of queue {fleet.settings.queue!r} running? "
        "Ctrl-C ends the wait; --deadline bounds it.",
        markup=False,
    )
