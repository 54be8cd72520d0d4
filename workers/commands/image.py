"""`leanfleet image`: freeze a warm REPL, and take its image to the machines that thaw it."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import typer

from producer.commands.terminal import printable
from producer.errors import InvalidInputError, LeanFleetError, SettingsError
from producer.header import split_header
from producer.settings import load_section, load_settings
from producer.store import open_store
from workers.commands.states import parse_age
from workers.images.archive import Archive
from workers.images.criu import find_criu
from workers.images.errors import ImageRefusedError, ImagesUnavailableError
from workers.images.machine import Machine, this_machine
from workers.images.manifest import Manifest
from workers.images.opening import local_store
from workers.images.trial import made
from workers.project import open_project
from workers.settings import WorkerSettings
from workers.states.signing import Signer

SOME_NOT = 1
_LEAST_DIGITS = 4

app = typer.Typer(no_args_is_help=True, help="Freeze warm REPL processes, and carry them to other machines.")

_Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of images, or how they begin.")]
_InStore = Annotated[bool, typer.Option("--store", help="In the fleet's store and not on this machine.")]


@asynccontextmanager
async def _archive(*, in_store: bool) -> AsyncIterator[Archive]:
    worker = load_section("worker", WorkerSettings)
    async with AsyncExitStack() as stack:
        if in_store:
            store = open_store(load_settings())
        else:
            try:
                store = local_store(worker)
            except OSError as error:
                raise SettingsError(
                    f"images cannot be kept here: {error}; set LEANFLEET_WORKER_IMAGE_DIRECTORY"
                ) from error
        yield Archive(await stack.enter_async_context(store), Signer(worker.blob_keys))


@app.command()
def build(
    header: Annotated[
        str, typer.Option("--header", help="What is imported first; left out: LEANFLEET_WORKER_HEADER.")
    ] = "",
) -> None:
    """Start a REPL, import the header, and freeze it.

    The image stays on this machine. It needs CRIU, root and a key to sign with (LEANFLEET_WORKER_BLOB_KEYS).
    """
    manifest = asyncio.run(_build(header))
    typer.echo(manifest.id)
    typer.echo(_line(manifest, ""), err=True)


async def _build(header: str) -> Manifest:
    if split_header(header.replace(";", "\n")).body.strip():
        raise InvalidInputError(f"{printable(header)!r} is no header: write imports alone, as in 'import Mathlib'")
    worker = load_section("worker", WorkerSettings)
    if not Signer(worker.blob_keys).can_sign:
        raise SettingsError("an image must be signed, and there is no key: set LEANFLEET_WORKER_BLOB_KEYS")
    await asyncio.to_thread(find_criu)  # before anything takes its time
    project = await asyncio.to_thread(open_project, worker)
    async with (
        _archive(in_store=False) as archive,
        made(worker, project, header or worker.header) as (_, image),
    ):
        return await archive.add(image)


@app.command("list")
def list_images(*, store: _InStore = False) -> None:
    """Show the images, and why they do not fit this machine.

    Those of isolated REPLs are for workers that isolate them (LEANFLEET_WORKER_ISOLATION), the others for the rest.
    """
    asyncio.run(_list(in_store=store))


async def _list(*, in_store: bool) -> None:
    here = await asyncio.to_thread(_here)
    async with _archive(in_store=in_store) as archive:
        async for name, manifest in archive.manifests():
            if isinstance(manifest, ImageRefusedError):
                typer.echo(f"{name.rpartition('/')[2][:12]}  unusable: {manifest.message}")
            else:
                typer.echo(_line(manifest, here.misfit(manifest)))


@dataclass(frozen=True, kw_only=True)
class _Here:
    """What images must fit; None and "" where there is none, or it cannot be told."""

    machine: Machine | None
    project: str

    def misfit(self, manifest: Manifest) -> str:
        if self.machine is None:
            return "there is no working CRIU here to thaw it"
        if self.project and manifest.warm.project != self.project:
            return f"it is for another project or toolchain, and here is {self.project}"
        return manifest.warm.machine.misfit(self.machine)


def _here() -> _Here:
    try:
        machine = this_machine(find_criu().version)
    except ImagesUnavailableError:
        return _Here(machine=None, project="")
    try:
        project = open_project(load_section("worker", WorkerSettings)).fingerprint
    except (LeanFleetError, OSError):  # images may be looked at where no Lean is
        project = ""
    return _Here(machine=machine, project=project)


def _line(manifest: Manifest, misfit: str) -> str:
    header = printable(manifest.warm.header.replace("\n", "; ")) or "(no imports)"
    size = f"{manifest.size_bytes / 1e6:,.0f} MB, {manifest.packed_bytes / 1e6:,.0f} MB stored"
    where = "isolated" if manifest.warm.folder else "not isolated"
    said = f"{manifest.id[:12]}  {header}  {size}, {where}, project {manifest.warm.project}"
    return f"{said}: {misfit}" if misfit else said


@app.command()
def push(ids: _Ids) -> None:
    """Copy images from this machine to the fleet's store."""
    asyncio.run(_copy(ids, to_store=True))


@app.command()
def pull(ids: _Ids) -> None:
    """Copy images from the fleet's store to this machine."""
    asyncio.run(_copy(ids, to_store=False))


async def _copy(ids: list[str], *, to_store: bool) -> None:
    async with _archive(in_store=not to_store) as source, _archive(in_store=to_store) as target:
        for name in await _named(source, ids, in_store=not to_store):
            manifest = await source.read(name)
            await source.copy(manifest, target)
            typer.echo(_line(manifest, ""))


@app.command()
def verify(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", help="Ids of images, or how they begin; none: all.")
    ] = None,
    *,
    store: _InStore = False,
) -> None:
    """Look whether images are sound.

    Every byte is compared with its hash, and manifests with their signatures.

    Exit codes: 0 all is sound, 1 something is not, 2 they cannot be read. Whether an image fits this machine is said
    too, and changes nothing: it may fit others.
    """
    if asyncio.run(_verify(ids or [], in_store=store)):
        raise typer.Exit(SOME_NOT)


async def _verify(ids: list[str], *, in_store: bool) -> int:
    here = await asyncio.to_thread(_here)
    bad = 0
    async with _archive(in_store=in_store) as archive:
        for name in await _named(archive, ids, in_store=in_store) if ids else [name async for name in archive.names()]:
            short = name.rpartition("/")[2][:12]
            try:
                manifest = await archive.read(name)
                problem = await archive.verify(manifest)
            except ImageRefusedError as error:
                problem = error.message
            if problem:
                bad += 1
                typer.echo(f"{short}  unusable: {problem}")
            else:
                typer.echo(f"{short}  sound; {await asyncio.to_thread(_fit, manifest, here)}")
    return bad


def _fit(manifest: Manifest, here: _Here) -> str:
    if (misfit := here.misfit(manifest)) or here.machine is None:
        return misfit
    try:
        manifest.require_fit(here.machine)
    except ImageRefusedError as error:
        return error.message
    return "it fits this machine"


@app.command()
def rm(ids: _Ids, *, store: _InStore = False) -> None:
    """Delete images. A copy that runs does not need its image any more."""
    asyncio.run(_remove(ids, in_store=store))


async def _remove(ids: list[str], *, in_store: bool) -> None:
    async with _archive(in_store=in_store) as archive:
        names = await _named(archive, ids, in_store=in_store)
        chunks = await archive.remove(names)
    typer.echo(f"{len(names)} images deleted, and {chunks} chunks that no other uses")


@app.command()
def gc(
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="As in 30d, 12h or 90m.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    images: Annotated[
        bool, typer.Option("--images", help="Images of that age as well: workers make their own then.")
    ] = False,
    store: _InStore = False,
) -> None:
    """Delete chunks that no image has, which broken pushes leave.

    Pushes may run meanwhile if AGE is some hours: they write anew what they find and what is older than one.
    """
    asyncio.run(_gc(dt.datetime.now(dt.UTC) - parse_age(older_than), dry_run=dry_run, images=images, in_store=store))


async def _gc(before: dt.datetime, *, dry_run: bool, images: bool, in_store: bool) -> None:
    async with _archive(in_store=in_store) as archive:
        swept = await archive.sweep(before, images=images, dry_run=dry_run)
    verb = "would be" if dry_run else "were"
    typer.echo(f"{swept.images} images and {swept.chunks} chunks, {swept.size_bytes:,} bytes, {verb} deleted")


async def _named(archive: Archive, ids: list[str], *, in_store: bool) -> list[str]:
    """The names of images by how their ids begin. Raise InvalidInputError for one that is not there, or not alone."""
    names = [name async for name in archive.names()]
    where, option = ("in the store", " --store") if in_store else ("on this machine", "")
    found = []
    for wanted in ids:
        fits = [name for name in names if name.rpartition("/")[2].startswith(wanted)]
        if len(wanted) < _LEAST_DIGITS:
            problem = "is too short"
        elif len(fits) != 1:
            problem = f"is how the ids of {len(fits)} images {where} begin" if fits else f"is no image {where}"
        else:
            found += fits
            continue
        raise InvalidInputError(f"{printable(wanted)!r} {problem}: `leanfleet image list{option}` shows their ids")
    return list(dict.fromkeys(found))
