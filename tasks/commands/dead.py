"""`leanfleet dead`: operations that no worker will be given again, to look at, replay or drop."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec
import typer
from redis.asyncio import Redis

from producer.commands.terminal import printable
from producer.connection import broker_errors, open_redis
from producer.envelope import TASK_PREFIX
from producer.errors import InvalidInputError
from producer.operation import OPERATIONS
from producer.settings import REDIS_SCHEMES, Settings, load_settings
from tasks.redelivery.dead import DeadLetter, dead_key

app = typer.Typer(help="Show, replay or drop operations that were given up. Their REPL or worker died of them.")

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which ones; their beginnings will do.")]
Everything = Annotated[bool, typer.Option("--all", help="Every one.")]


class Found(NamedTuple):
    """A letter, where it lies, and as what."""

    server: Redis
    raw: bytes
    letter: DeadLetter


@app.command("list")
def list_letters(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each.")] = False
) -> None:
    """Show them, newest first."""

    async def run(settings: Settings) -> None:
        async with _found(settings) as found:
            for each in found:
                typer.echo(each.raw.decode() if as_json else _in_words(each.letter))
            if not found:
                typer.echo(f"queue {settings.queue} has no dead letters", err=True)

    asyncio.run(run(load_settings()))


@app.command()
def replay(ids: Ids = None, *, everything: Everything = False) -> None:
    """Put them back into the queue, under their ids.

    Nobody waits for them any more: results go to Celery's result backend, and Flower shows them.
    """

    async def run(settings: Settings) -> None:
        async with _found(settings) as found:
            for each in _chosen(found, ids, everything=everything):
                if each.letter.raw:
                    typer.echo(f"{each.letter.id}: is no message, and cannot be replayed", err=True)
                    continue
                if each.letter.kind not in OPERATIONS:
                    typer.echo(
                        f"{each.letter.id}: this version knows no {printable(each.letter.kind)!r}: "
                        "replay it with the version of the workers",
                        err=True,
                    )
                    continue
                # Sent before it is removed: in between it is there twice, which does no harm, and never not at all.
                await asyncio.to_thread(_send, each.letter)
                await each.server.lrem(dead_key(settings.queue), 1, cast("str", each.raw))
                typer.echo(f"{each.letter.id}: replayed")

    asyncio.run(run(load_settings()))


@app.command()
def drop(ids: Ids = None, *, everything: Everything = False) -> None:
    """Forget them."""

    async def run(settings: Settings) -> None:
        async with _found(settings) as found:
            for each in _chosen(found, ids, everything=everything):
                await each.server.lrem(dead_key(settings.queue), 1, cast("str", each.raw))
                typer.echo(f"{each.letter.id}: dropped")

    asyncio.run(run(load_settings()))


@asynccontextmanager
async def _found(settings: Settings) -> AsyncIterator[list[Found]]:
    """All letters of the queue: workers lay operations beside the replies, and what they cannot read on the broker."""
    urls = [url for url in dict.fromkeys((settings.reply_url, settings.broker_url)) if url]
    if not urls:
        raise InvalidInputError("no broker is named: set LEANFLEET_BROKER_URL")
    found: list[Found] = []
    async with AsyncExitStack() as stack:
        for url in urls:
            if urlsplit(url).scheme in REDIS_SCHEMES:
                server = open_redis(url)
                stack.push_async_callback(server.aclose)
                stack.enter_context(broker_errors(url))
                letters = cast("list[bytes]", await server.lrange(dead_key(settings.queue), 0, -1))
                found += [Found(server, raw, msgspec.json.decode(raw, type=DeadLetter)) for raw in letters]
        yield sorted(found, key=lambda each: -each.letter.at)


def _chosen(found: Sequence[Found], ids: Sequence[str] | None, *, everything: bool) -> list[Found]:
    """Raise InvalidInputError when nothing is named, or a name fits none or several."""
    if everything:
        return list(found)
    if not ids:
        raise InvalidInputError("name ids, as `leanfleet dead list` shows them, or say --all")
    chosen = []
    for prefix in ids:
        fitting = [each for each in found if each.letter.id.startswith(prefix)]
        if len(fitting) != 1:
            raise InvalidInputError(f"{len(fitting)} dead letters have an id that begins with {prefix!r}")
        chosen += fitting
    return chosen


def _send(letter: DeadLetter) -> None:
    from tasks import celery, operations  # noqa: F401, PLC0415 - slow to load; registers the tasks

    task: Any = celery.app.tasks[TASK_PREFIX + letter.kind]
    task.apply_async(kwargs=letter.arguments, task_id=letter.id, argsrepr=letter.label)


def _in_words(letter: DeadLetter) -> str:
    at = dt.datetime.fromtimestamp(letter.at).astimezone().isoformat(sep=" ", timespec="seconds")
    first, *_ = letter.reason.splitlines() or [""]
    return printable(f"{letter.id}  {at}  {letter.kind or 'unreadable'}  {letter.label}  ({first})")
