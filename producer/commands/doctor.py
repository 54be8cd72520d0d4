"""`leanfleet doctor` where only the client is installed; with the worker stack, `tasks.commands.doctor` adds to it."""

import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from producer import tracing
from producer.errors import BlobMissingError, LeanFleetError, StoreError
from producer.requirements import Finding, Level, check_brokers
from producer.settings import REDIS_SCHEMES, Settings, load_settings, unknown_variables, without_password
from producer.store import AsyncStore, open_store

ALL_FINE = 0
SOMETHING_MISSING = 1
_STYLES = {Level.FINE: ("ok", "green"), Level.WARNING: ("warning", "yellow"), Level.ERROR: ("missing", "red")}
# What each extra is known by, and is for.
_EXTRAS = {
    "worker": ("celery", "this computer can ask, and not work"),
    "parquet": ("pyarrow", "batches read and write no .parquet files"),
}

AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON for each finding.")]


def doctor(*, as_json: AsJson = False) -> None:
    """Look at everything that a fleet needs, from here.

    Only the client is installed: broker and store are looked at, and what else could be installed is named.

    Exit codes: 0 nothing is missing (there may be warnings); 1 something is.
    """
    tell(asyncio.run(_examine()), as_json=as_json)


async def _examine() -> list[Finding]:
    try:
        settings = load_settings()
    except LeanFleetError as error:
        return [Finding(level=Level.ERROR, subject="settings", found="wrong", advice=error.message)]
    findings = misspelt({"": Settings})
    findings += await look("broker", lambda: _broker(settings))
    findings += await look("store", lambda: examine_store(settings))
    findings += await look("traces", examine_tracing)
    return findings + _extras()


def tell(findings: list[Finding], *, as_json: bool) -> None:
    """Print all and exit with the code that they call for."""
    if as_json:
        for finding in findings:
            typer.echo(msgspec.json.encode(finding).decode())
    else:
        _print(findings)
    sys.exit(SOMETHING_MISSING if any(finding.level is Level.ERROR for finding in findings) else ALL_FINE)


async def look(subject: str, examine: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """One part's findings: what is wrong with it hides nothing of the others."""
    try:
        return await examine()
    except LeanFleetError as error:
        return [Finding(level=Level.ERROR, subject=subject, found="not usable", advice=error.message)]


def misspelt(kinds: Mapping[str, type[msgspec.Struct]]) -> list[Finding]:
    """A warning for each variable that looks like a setting and is none: it is ignored wherever settings are read."""
    return [
        Finding(
            level=Level.WARNING,
            subject=f"variable {name}",
            found="is no setting, and is ignored",
            advice=f"is {meant} meant?" if meant else "docs/settings.md has all that can be set",
        )
        for name, meant in unknown_variables(kinds, os.environ).items()
    ]


def no_broker() -> Finding:
    return Finding(
        level=Level.WARNING,
        subject="broker",
        found="none is configured",
        advice="set LEANFLEET_BROKER_URL; `leanfleet up` starts one here, and `leanfleet check` does without",
    )


async def _broker(settings: Settings) -> list[Finding]:
    if not settings.broker_url:
        return [no_broker()]
    findings = await check_brokers(settings)
    if urlsplit(settings.broker_url).scheme not in REDIS_SCHEMES:
        from producer.publisher import open_publisher  # noqa: PLC0415 - loads what is an extra

        publisher = open_publisher(settings.broker_url)
        try:
            await publisher.connect()
        finally:
            await publisher.close()
        found = f"{without_password(settings.broker_url)} takes us"
        findings.append(Finding(level=Level.FINE, subject="broker", found=found))
    return findings


async def examine_store(settings: Settings) -> list[Finding]:
    """Whether it can be read and written, and lets one of two writers win, without which batches would be wrong."""
    if not settings.store_url:
        advice = "no batches, and states are restored by replay alone: set LEANFLEET_STORE_URL to s3://… or file:///…"
        return [Finding(level=Level.WARNING, subject="store", found="none is configured", advice=advice)]
    async with open_store(settings) as store:
        await store.check()
        name = f"leanfleet-check/{secrets.token_hex(8)}"
        try:
            wrong = await _try_writing(store, name)
        except StoreError as error:
            advice = f"batches and exported states need to write: {error.message}"
            finding = Finding(level=Level.ERROR, subject="store", found=f"{store.url} is read-only", advice=advice)
        else:
            found = f"{store.url} answers, takes objects, and keeps the first of two"
            finding = Finding(level=Level.FINE, subject="store", found=found)
            if wrong:
                finding = Finding(
                    level=Level.ERROR, subject="store", found=f"{store.url}: {wrong}", advice=_CONDITIONAL
                )
        return [finding, *await _tidied(store, name, finding)]


_CONDITIONAL = "batches need conditional writes (If-None-Match): use a store that has them"


async def _try_writing(store: AsyncStore, name: str) -> str:
    """What is wrong; empty when nothing is. Raise StoreError when nothing can be written."""
    try:
        if not await store.put_named(name, b"first", only_new=True):
            return "says that there is an object where none is"
        if await store.put_named(name, b"second", only_new=True):
            return "lets two writers of one name both win"
        return "" if await store.get_named(name) == b"first" else "lets the second of two writers win"
    except BlobMissingError:
        return "does not show what was just written"


async def _tidied(store: AsyncStore, name: str, finding: Finding) -> list[Finding]:
    """Delete the object that was tried; a warning where we may write and not delete."""
    try:
        await store.delete([name])
    except StoreError as error:
        if finding.level is Level.FINE:
            advice = f"`leanfleet states gc` and `batch rm` need to, and {name} stays: {error.message}"
            return [Finding(level=Level.WARNING, subject="store", found="objects cannot be deleted", advice=advice)]
    return []


async def examine_tracing() -> list[Finding]:
    """Whether traces go where the environment says; nothing where it says nothing."""
    exporter = tracing.exporter_of_environment()
    if not exporter:
        return []
    tracing.require(exporter)
    return [Finding(level=Level.FINE, subject="traces", found=f"sent by {exporter}")]


def _extras() -> list[Finding]:
    return [
        Finding(
            level=Level.WARNING,
            subject=f"extra {extra}",
            found="not installed",
            advice=f"{without}: pip install 'leanfleet[{extra}]' where that is needed",
        )
        for extra, (module, without) in _EXTRAS.items()
        if find_spec(module) is None
    ]


def _print(findings: Iterable[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        word, style = _STYLES[finding.level]
        console.print(Text.assemble((f"{word:8}", style), f" {finding.subject}: {finding.found}"))
        if finding.advice:
            console.print(Text(f"         → {finding.advice}"))
