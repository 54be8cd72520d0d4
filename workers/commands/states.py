"""`leanfleet states`: what is in the store, whether it is sound, and how to make room."""

import asyncio
import datetime as dt
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from producer.commands.terminal import printable
from producer.errors import BlobCorruptError, BlobMissingError, InvalidInputError, StoreError
from producer.settings import load_section, load_settings
from producer.state import BlobRef, CommandStep, SorryStep, StateRef
from producer.store import AsyncStore, ObjectInfo, open_store
from producer.store.store import BLOBS, RECIPES, can_name_an_object
from producer.unreadable import UNREADABLE
from workers.settings import WorkerSettings
from workers.states.blobs import EXPORTS
from workers.states.signing import Signer

ALL_FINE = 0
SOME_NOT = 1

_AT_ONCE = 32
_DELETE_AT_ONCE = 1000
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

app = typer.Typer(no_args_is_help=True, help="Look at stored states, verify them, delete old ones.")


def parse_age(text: str) -> dt.timedelta:
    """`30d`, `12h`, `1.5h`, `90m`; raise InvalidInputError for anything else."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise InvalidInputError(f"{text!r} is no age: write a number and s, m, h, d or w, as in 30d")
    try:
        age = dt.timedelta(**{_UNITS[match[2]]: float(match[1])})
        dt.datetime.now(dt.UTC) - age
    except OverflowError:
        raise InvalidInputError(f"{text!r} ago is before all calendars") from None
    return age


@app.command()
def show(
    state: Annotated[
        str, typer.Argument(metavar="[STATE]", help="A file with a state in JSON, - for stdin, or the JSON itself.")
    ] = "",
) -> None:
    """Show what a state is made of; without one, what is in the store."""
    if state:
        for line in described(read_state(state)):
            typer.echo(printable(line))
    else:
        asyncio.run(_show_store())


def read_state(argument: str) -> StateRef:
    """The state that the command line speaks of. Raise WireError or InvalidInputError when it is none."""
    if argument.lstrip().startswith("{"):
        return StateRef.from_json(argument)
    try:
        text = sys.stdin.read() if argument == "-" else Path(argument).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"cannot read a state from {argument}: {error}") from error
    return StateRef.from_json(text)


def described(state: StateRef) -> list[str]:
    """A state in lines for people."""
    lines = [
        f"id       {state.id}",
        f"kind     {state.kind.replace('_', ' ')}",
        f"project  {state.project or '(not run yet)'}",
        f"header   {state.header.replace(chr(10), '; ') or '(that of every Lean file)'}",
        f"steps    {state.depth}",
    ]
    if state.prefix is not None:
        lines.append(f"  0-{state.prefix.steps - 1}  in the store: recipe {state.prefix.sha256}")
    for number, step in enumerate(state.steps, start=state.depth - len(state.steps)):
        match step:
            case CommandStep(code):
                kind, text = "command", code
            case SorryStep(index):
                kind, text = "sorry", str(index)
            case _:
                kind, text = "tactic", step.tactic
        first, *rest = text.split("\n")
        lines += [f"  {number:<4}{kind:<9}{first}", *(f"{'':15}{line}" for line in rest)]
    if (blob := state.blob) is not None:
        signed = "signed" if blob.signature else "not signed"
        lines.append(f"blob     {blob.sha256} for {blob.steps} steps, {blob.size_bytes:,} bytes, {signed}")
    return lines


async def _show_store() -> None:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    oldest: dict[str, dt.datetime] = {}
    async with open_store(load_settings()) as store:
        async for info in store.list():
            folder = info.name.partition("/")[0]
            counts[folder] += 1
            sizes[folder] += info.size_bytes
            oldest[folder] = min(info.modified_at, oldest.get(folder, info.modified_at))
    typer.echo(f"{store.url}: {counts.total():,} objects, {sizes.total():,} bytes")
    for folder in sorted(counts):
        typer.echo(
            f"  {folder:<10}{counts[folder]:>12,}{sizes[folder]:>18,} bytes   oldest {oldest[folder]:%Y-%m-%d %H:%M}"
        )


@app.command()
def verify(
    *,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete what is damaged; recipes are never deleted.")
    ] = False,
) -> None:
    """Look whether what is stored is sound.

    Every blob and recipe is compared with its hash, every announced export with its signature. A damaged blob costs
    workers time and is never loaded; deleted, it is made anew when it is next exported.

    Exit codes: 0 all is sound, 1 something is damaged, 2 the store cannot be read.
    """
    if asyncio.run(_verify(delete=delete)):
        raise typer.Exit(SOME_NOT)


async def _verify(*, delete: bool) -> int:
    """The number of damaged objects."""
    signer = Signer(load_section("worker", WorkerSettings).blob_keys)
    damaged: list[str] = []
    checked = strays = 0
    async with open_store(load_settings()) as store:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(info: ObjectInfo) -> None:
            async with slots:
                problem = await _problem(store, info.name, signer)
            if problem:
                damaged.append(info.name)
                typer.echo(f"{info.name}: {problem}")

        for folder in (BLOBS, RECIPES, EXPORTS):
            waiting: set[asyncio.Task[None]] = set()
            async for info in store.list(f"{folder}/"):
                if not can_name_an_object(info.name):
                    strays += 1
                    continue
                checked += 1
                waiting.add(asyncio.create_task(one(info)))
                if len(waiting) >= 2 * _AT_ONCE:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            await asyncio.gather(*waiting)
        doomed = [name for name in damaged if not name.startswith(f"{RECIPES}/")]
        if delete and doomed:
            await store.delete(doomed)
    action = f", {len(doomed)} deleted" if delete else ""
    typer.echo(f"{checked:,} objects checked, {len(damaged)} damaged{action}{_left_alone(strays)}")
    return len(damaged)


def _left_alone(strays: int) -> str:
    return f"; {strays:,} were never written by leanfleet, and are left alone" if strays else ""


async def _problem(store: AsyncStore, name: str, signer: Signer) -> str:
    """What is wrong with one object; empty when nothing is."""
    folder, _, key = name.partition("/")
    key = key.rpartition("/")[2]
    try:
        if folder in (BLOBS, RECIPES):
            await store.get(key, folder=folder)
            return ""
        blob = msgspec.json.decode(await store.get_named(name), type=BlobRef)
        is_there = await store.exists(blob.sha256)
    except BlobMissingError:
        return ""  # deleted while we looked
    except (BlobCorruptError, InvalidInputError) as error:
        return error.message
    except UNREADABLE as error:
        return f"cannot be read: {error}"
    if signer.can_sign and not signer.accepts(blob, key):
        return "was not signed with a key of this fleet (LEANFLEET_WORKER_BLOB_KEYS)"
    return "" if is_there else f"its blob {blob.sha256} is gone"


@app.command()
def gc(
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="As in 30d, 12h or 90m.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    recipes: Annotated[
        bool, typer.Option("--recipes", help="Stored recipes as well: states that were cut at one are LOST.")
    ] = False,
) -> None:
    """Delete pickled states that were written a while ago. They are made again from their recipes when they are needed.

    A lifecycle rule of the bucket for the folders `blobs/` and `exports/` does the same by itself. Where the store is a
    folder, half-written files of that age go as well, as processes that were killed leave them.
    """
    try:
        asyncio.run(_gc(parse_age(older_than), dry_run=dry_run, recipes=recipes))
    except StoreError as error:
        raise error.with_context("some may have been deleted already") from error


async def _gc(age: dt.timedelta, *, dry_run: bool, recipes: bool) -> None:
    limit = dt.datetime.now(dt.UTC) - age
    count = size = strays = 0
    batch: list[str] = []
    async with open_store(load_settings()) as store:
        # Announcements first: one that leads to nothing costs a worker a request.
        for folder in (EXPORTS, BLOBS, *([RECIPES] if recipes else [])):
            async for info in store.list(f"{folder}/"):
                if not can_name_an_object(info.name):
                    strays += 1
                elif info.modified_at < limit:
                    count += 1
                    size += info.size_bytes
                    batch.append(info.name)
                if len(batch) >= _DELETE_AT_ONCE and not dry_run:
                    await store.delete(batch)
                    batch.clear()
            if batch and not dry_run:
                await store.delete(batch)
            batch.clear()
        for info in await store.sweep(older_than=age, dry_run=dry_run):
            count += 1
            size += info.size_bytes
    action = "would be" if dry_run else "were"
    typer.echo(f"{count:,} objects, {size:,} bytes {action} deleted{_left_alone(strays)}")
