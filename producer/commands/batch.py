"""`leanfleet batch`: proofs in bulk, under an id that outlives this process."""

import asyncio
import contextlib
import datetime as dt
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.batch.batches import Batches
from producer.batch.columns import parse_columns
from producer.batch.diff import Change
from producer.batch.export import check_export, export, write_csv
from producer.batch.result import BatchResult
from producer.batch.sources import read_proofs
from producer.batch.status import Status
from producer.commands.options import age_seconds, memory_size
from producer.commands.terminal import log_to, printable, progress_bar, stderr_console
from producer.errors import InvalidInputError
from producer.lane import Priority
from producer.settings import Settings, load_settings
from producer.tracing import set_up

T = TypeVar("T")

SOME_NOT = 1
COULD_NOT_RUN = 2
INTERRUPTED = 130

STOPPED_PUBLISHING = (
    "what is in the queue by now is run. `leanfleet batch list` names the batch, `leanfleet batch watch` goes on with "
    "the rest of it, and `leanfleet batch cancel` ends it."
)

MAX_PROBLEMS_SHOWN = 100
MAX_CHANGES_SHOWN = 200

app = typer.Typer(
    help="Check proofs in bulk. Submit them, go away, come back with the id, on any machine with the same settings."
)

Id = Annotated[str, typer.Argument(metavar="ID", help="A batch's id, or as much of its beginning as is unique.")]
Timeout = Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", min=0.001)]
Memory = Annotated[int | None, typer.Option("--memory", metavar="SIZE", parser=memory_size)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PriorityOption = Annotated[
    Priority | None,
    typer.Option(help="Interactive is served before bulk, which is the default."),
]


def _run(work: Callable[[Batches], Awaitable[T]], settings: Settings | None = None, *, interrupted: str = "") -> T:
    """What a command does, with its own connections; Ctrl-C ends it without a traceback, and with these words."""
    set_up("leanfleet")

    async def run() -> T:
        async with Batches(settings or load_settings()) as batches:
            return await work(batches)

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        if interrupted:
            stderr_console().print(f"Interrupted: {interrupted}", markup=False)
        raise typer.Exit(INTERRUPTED) from None


@app.command()
def submit(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help=".jsonl, .lean, .csv and .parquet files.")],
    *,
    name: Annotated[str, typer.Option(help="For people; it need not be unique.")] = "",
    timeout: Timeout = None,
    memory: Memory = None,
    columns: Annotated[
        str, typer.Option(metavar="FIELD=COLUMN,…", help="Which columns are id, code, header, statement and proof.")
    ] = "",
    skip_invalid: Annotated[bool, typer.Option("--skip-invalid", help="Leave out what is wrong.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run it again even if it was submitted before.")] = False,
    priority: PriorityOption = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Stay until it is done, as `watch` does.")] = False,
) -> None:
    """Enqueue proofs as a batch and print its id.

    A .jsonl file has lines as `leanfleet check` reads them, or rows of a dataset with the columns name, header,
    statement and proof; .csv and .parquet files have such rows; a .lean file is one proof. --timeout and --memory hold
    for proofs that name no limits themselves.

    The same proofs with the same limits are the same batch: submitting them twice runs nothing twice, and goes on where
    a submission was broken off.

    Exit codes: 0 enqueued; 2 nothing is: wrong input, no broker, no store.
    """
    console = stderr_console()
    log_to(console)
    settings = load_settings()
    limits = {"timeout_seconds": timeout, "memory_bytes": memory}
    settings = replace(settings, **{field: value for field, value in limits.items() if value is not None})
    reading = read_proofs(files, settings, parse_columns(columns) if columns else None)
    if reading.problems:
        _show_problems(console, reading.problems, "warning" if skip_invalid else "error")
        if not skip_invalid:
            console.print("Nothing was enqueued; --skip-invalid leaves out what is wrong.", markup=False)
            raise typer.Exit(COULD_NOT_RUN)
    bar = progress_bar(console)

    async def work(batches: Batches) -> str:
        with bar:
            step = bar.add_task("enqueueing", total=len(reading.texts), note="")
            submission = await batches.submit(
                reading.texts,
                name=name,
                force=force,
                priority=priority,
                on_progress=lambda done, total: bar.update(step, completed=done, total=total),
            )
        total = submission.total
        if submission.is_new:
            words = f"{'1 proof is' if total == 1 else f'{total:,} proofs are'} enqueued as batch {submission.id}"
        else:
            these = "this 1 proof is" if total == 1 else f"these {total:,} proofs are"
            words = f"{these} batch {submission.id} already; --force runs it again"
        console.print(f"{words}: `leanfleet batch watch {submission.id}` shows how it goes.", markup=False)
        return submission.id

    batch_id = _run(work, settings, interrupted=STOPPED_PUBLISHING)
    sys.stdout.write(batch_id + "\n")
    sys.stdout.flush()
    if watch_it:
        _watch(console, batch_id, as_json=False)


@app.command()
def status(batch_id: Id, *, as_json: AsJson = False) -> None:
    """Show how far a batch is."""
    console = stderr_console()
    log_to(console)
    found = _run(lambda batches: batches.status(batch_id))
    _warn(console, found)
    if as_json:
        _print_json(found)
        return
    sys.stdout.write(printable(describe(found)) + "\n")


@app.command()
def watch(batch_id: Id, *, as_json: AsJson = False) -> None:
    """Follow a batch until it runs no more.

    Meanwhile its answers are moved to the store, and what the broker lost goes into the queue again.

    Exit codes: 0 every proof is proved, or ended as was expected of it; 1 some are not; 2 it could not be watched;
    130 interrupted (the batch goes on).
    """
    console = stderr_console()
    log_to(console)
    _watch(console, batch_id, as_json=as_json)


def _watch(console: Console, batch_id: str, *, as_json: bool) -> None:
    async def work(batches: Batches) -> tuple[Status, bool]:
        last: Status | None = None
        bar = progress_bar(console)
        async with contextlib.aclosing(batches.watch(batch_id)) as statuses:
            with bar:
                step = bar.add_task(batch_id, total=None, note="")
                async for last in statuses:
                    attempt = last.attempts[-1]
                    bar.update(step, total=attempt.total, completed=attempt.answered, note=_note(last))
                    if as_json:
                        _print_json(last)
        if last is None:
            raise InvalidInputError(f"batch {batch_id} cannot be watched")
        results = await batches.results(batch_id)
        return last, len(results) == last.total and all(result.is_fine for result in results)

    last, is_fine = _run(work, interrupted=f"the batch goes on; `leanfleet batch watch {batch_id}` is there again.")
    _warn(console, last)
    if not as_json:
        sys.stdout.write(printable(describe(last)) + "\n")
    raise typer.Exit(0 if is_fine else SOME_NOT)


@app.command()
def results(
    batch_id: Id,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each proof.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write a .jsonl, .csv or .parquet file.")
    ] = None,
    attempt: Annotated[int | None, typer.Option(min=1, help="As if no later attempt had been made.")] = None,
) -> None:
    """Give the results that are there.

    As CSV on stdout, as JSON lines, or as a file of the kind of its ending.

    Where several attempts answered, the last settled answer counts, else the last one.
    """
    console = stderr_console()
    log_to(console)
    if output is not None:
        check_export(output)

    async def work(batches: Batches) -> tuple[list[BatchResult], Status]:
        return await batches.results(batch_id, attempt=attempt), await batches.status(batch_id)

    found, now = _run(work)
    if output is not None:
        export(output, found)
    elif as_json:
        for result in found:
            sys.stdout.write(result.to_json().decode() + "\n")
    else:
        write_csv(sys.stdout, found)
    if (missing := now.total - len(found)) > 0:
        console.print(
            f"{missing:,} of {now.total:,} proofs have no answer {'yet' if now.is_running else f'({now.state})'}.",
            markup=False,
        )


@app.command()
def rerun(
    batch_id: Id,
    *,
    only: Annotated[
        str, typer.Option(metavar="OUTCOME,…", help="Only these, as in timeout,repl_died,lost (lost: no answer, too).")
    ] = "",
    timeout: Timeout = None,
    memory: Memory = None,
    everything: Annotated[bool, typer.Option("--all", help="What is settled, too.")] = False,
    priority: PriorityOption = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Stay until it is done, as `watch` does.")] = False,
) -> None:
    """Run again what is not settled.

    That is what has no answer, timed out, ran out of memory, or lost its REPL.
    --timeout and --memory hold instead of the proofs' own limits. Earlier attempts are kept: see `results --attempt`.
    """
    console = stderr_console()
    log_to(console)
    count = _run(
        lambda batches: batches.rerun(
            batch_id,
            only=[part.strip() for part in only.split(",") if part.strip()],
            everything=everything,
            timeout_seconds=timeout,
            memory_bytes=memory,
            priority=priority,
        ),
        interrupted=STOPPED_PUBLISHING,
    )
    console.print(f"Enqueued again: {count:,} of the batch's proofs.", markup=False)
    if watch_it:
        _watch(console, batch_id, as_json=False)


@app.command()
def cancel(batch_id: Id) -> None:
    """End a batch, and keep what is answered.

    What has not begun is not begun; `rerun` takes it up again.
    """
    console = stderr_console()
    log_to(console)
    found = _run(lambda batches: batches.cancel(batch_id))
    console.print(
        f"Batch {found.id} is cancelled: {found.answered:,} of {found.total:,} proofs were answered.", markup=False
    )


@app.command("list")
def list_batches(*, as_json: AsJson = False) -> None:
    """Show the batches in the store, the newest first.

    States are those of the store: a batch is running there until `status` or `watch` finds that it has ended.
    """
    log_to(stderr_console())
    found = _run(lambda batches: batches.all())
    if as_json:
        for batch in found:
            _print_json(batch)
        return
    table = Table("id", "begun", "proofs", "attempts", "state", "name", box=None, pad_edge=False)
    for batch in found:
        state = "not enqueued" if batch.state is None else str(batch.state)
        table.add_row(
            batch.id,
            _when(batch.created_at),
            f"{batch.total:,}",
            str(batch.attempts),
            state,
            Text(printable(batch.name)),  # no markup, whatever is in it
        )
    _print_table(table)


@app.command()
def rm(
    batch_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or as much of each as is unique.")
    ] = None,
    *,
    older_than: Annotated[
        float | None,
        typer.Option(metavar="AGE", parser=age_seconds, help="Only what was submitted longer ago, as in 30d or 12h."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
) -> None:
    """Delete batches with all their results, for good.

    Running batches are refused where they are named, and left where only an age is given. Proofs that other batches
    have as well are kept; those that none has any more are deleted an hour after they were written at the earliest.

    Exit codes: 0 deleted, or there was nothing; 2 nothing was: a batch is unknown or running.
    """
    console = stderr_console()
    log_to(console)
    found = _run(lambda batches: batches.remove(batch_ids or (), older_than_seconds=older_than, dry_run=dry_run))
    for batch_id in found.ids:
        sys.stdout.write(batch_id + "\n")
    for batch_id in found.spared:
        console.print(f"Batch {batch_id} is running, and stays.", markup=False)
    words = "would be deleted" if dry_run else "deleted"
    console.print(
        f"{len(found.ids):,} {'batch' if len(found.ids) == 1 else 'batches'} {words}: {found.objects:,} objects, "
        f"{found.size_bytes / 2**20:.1f} MiB.",
        markup=False,
    )


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A batch's id, or ID@N for it after its attempt N.")],
    after: Annotated[str, typer.Argument(metavar="B", help="As A.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what changed from run A to run B. Proofs are the same when their ids are.

    Exit codes: 0 nothing changed; 1 something did; 2 it could not be told.
    """
    log_to(stderr_console())
    (a, a_attempt), (b, b_attempt) = _with_attempt(before), _with_attempt(after)
    found = _run(lambda batches: batches.diff(a, b, before_attempt=a_attempt, after_attempt=b_attempt))
    is_same = not found.changed and not found.only_before and not found.only_after
    if as_json:
        _print_json(found)
        raise typer.Exit(0 if is_same else SOME_NOT)
    lines = [printable(f"{change.id}: {_words(change)}") for change in found.changed]
    lines += [printable(f"{proof}: only in {before}") for proof in found.only_before]
    lines += [printable(f"{proof}: only in {after}") for proof in found.only_after]
    shown = lines[:MAX_CHANGES_SHOWN]
    if len(lines) > len(shown):
        shown.append(f"and {len(lines) - len(shown):,} more (--json has all)")
    shown.append(f"{len(found.changed):,} changed, {found.same:,} did not")
    sys.stdout.write("\n".join(shown) + "\n")
    raise typer.Exit(0 if is_same else SOME_NOT)


def describe(status: Status) -> str:
    """A batch in a few lines."""
    title = f"batch {status.id}" + (f" ({status.name})" if status.name else "")
    lines = [
        f"{title}: {status.state}, {status.answered:,} of {status.total:,} answered, begun {_when(status.created_at)}"
    ]
    if status.verdicts:
        lines.append("  verdicts: " + _counts(status.verdicts))
        lines.append("  outcomes: " + _counts(status.outcomes))
    lines.extend(
        f"  attempt {each.number}: {each.state}, {each.answered:,} of {each.total:,} answered"
        + (f", timeout {each.timeout_seconds:g} s" if each.timeout_seconds is not None else "")
        + (f", memory {each.memory_bytes / 2**30:.3g} GiB" if each.memory_bytes is not None else "")
        for each in status.attempts
    )
    last = status.attempts[-1]
    if status.is_running:
        if last.published < last.total:
            lines.append(
                f"  {last.published:,} of {last.total:,} are enqueued: it is being submitted, or that was broken off "
                f"(then `leanfleet batch watch {status.id}` goes on with it)"
            )
        if status.rate and status.eta_seconds is not None:
            lines.append(f"  {status.rate:.1f} answers/s, done in about {_duration(status.eta_seconds)}")
    elif status.unanswered:
        lines.append(f"  {status.unanswered:,} have no answer: `leanfleet batch rerun {status.id}` runs them again")
    return "\n".join(lines)


def _note(status: Status) -> str:
    parts = [_counts(status.verdicts)]
    if bad := {kind: number for kind, number in status.outcomes.items() if kind not in ("ok", "lean_error")}:
        parts.append(_counts(bad))
    if status.rate:
        parts.append(f"{status.rate:.1f}/s")
    if status.eta_seconds is not None:
        parts.append(f"{_duration(status.eta_seconds)} left")
    return "; ".join(part for part in parts if part)


def _counts(counts: dict[Any, int]) -> str:
    return ", ".join(f"{number:,} {str(kind).replace('_', ' ')}" for kind, number in counts.items())


def _duration(seconds: float) -> str:
    return str(dt.timedelta(seconds=round(seconds)))


def _when(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _words(change: Change) -> str:
    before, after = (
        "no answer" if each is None else f"{each.verdict} ({each.outcome})" for each in (change.before, change.after)
    )
    return f"{before} → {after}"


def _with_attempt(given: str) -> tuple[str, int | None]:
    batch_id, at, number = given.partition("@")
    if not at:
        return batch_id, None
    if not number.isdecimal() or int(number) < 1:
        raise InvalidInputError(f"{given!r}: write ID@N with the number of an attempt")
    return batch_id, int(number)


def _show_problems(console: Console, problems: list[str], word: str) -> None:
    for problem in problems[:MAX_PROBLEMS_SHOWN]:
        console.print(f"{word}: {printable(problem)}", markup=False)
    if (more := len(problems) - MAX_PROBLEMS_SHOWN) > 0:
        console.print(f"{word}: and {more:,} more", markup=False)


def _warn(console: Console, status: Status) -> None:
    for warning in status.warnings:
        console.print(f"warning: {printable(warning)}", markup=False)


def _print_json(value: msgspec.Struct) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def _print_table(table: Table) -> None:
    # Wide enough where the output is no terminal: nothing may be cut off for `grep`.
    Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(table)
