"""Freezing: a REPL's process is dumped while it lives on, stopped for some ten milliseconds."""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path

import msgspec

from workers.guard import Guard
from workers.images.criu import Criu
from workers.images.errors import ImageError
from workers.images.image import Image, Warm, mapped_files, stamps, written_files
from workers.images.machine import this_machine
from workers.images.tool import Finished, run
from workers.launch import Launch
from workers.process import AsyncLeanREPLProcess
from workers.processes import number_inside

FREEZE_SECONDS = 60.0
_LOG = "dump.log"
# What CRIU finds that it cannot do when it looks at the kernel, and what no REPL needs.
_HARMLESS = ("RLIMIT_NOFILE", "(criu/tun.c", "(criu/libnetlink.c", "(criu/net.c")


async def freeze(
    process: AsyncLeanREPLProcess,
    *,
    criu: Criu,
    project: str,
    header: str,
    environment: int | None,
    parent: Path,
    guard: Guard | None,
    fenced: Launch | None = None,
    timeout_seconds: float = FREEZE_SECONDS,
) -> Image:
    """Write an image of a REPL that has nothing to answer; it goes on as if nothing had happened.

    Args:
        process: the REPL; nothing may be sent to it meanwhile.
        criu: this machine's.
        project: the fingerprint of its project.
        header: what it has imported.
        environment: where.
        parent: the image gets a folder of its own in it.
        guard: as of a pool.
        fenced: how it was started, if behind a fence.
        timeout_seconds: then CRIU is killed, and the process with it, which it may have left stopped.

    Cancelling waits for CRIU's end, cancelling again does not. Whatever fails leaves no file behind. When CRIU is
    killed, so is the process.

    Raises:
        ImageError: the process cannot be dumped, it has died, or the disk is full.
    """
    if not process.is_settled or not process.is_alive:
        raise ImageError("only a REPL that lives and has nothing to answer can be frozen")
    warm = Warm(
        project=project,
        header=header,
        environment=environment,
        pipes=process.pipes,
        machine=await asyncio.to_thread(this_machine, criu.version),
    )
    if fenced is not None and fenced.folder is not None:
        owner = await asyncio.to_thread(fenced.folder.stat)
        warm = msgspec.structs.replace(warm, folder=str(fenced.folder), owner=owner.st_uid)
    task = asyncio.create_task(
        _freeze(process, warm, criu, parent=parent, guard=guard, timeout_seconds=timeout_seconds)
    )
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Of its own: who is cancelled again does not wait, and nobody else knows of the image.
        abandoned = asyncio.create_task(_abandon(task))
        await asyncio.shield(abandoned)
        raise


async def _abandon(task: asyncio.Task[Image]) -> None:
    with contextlib.suppress(ImageError):
        await asyncio.to_thread(remove, await task)


async def _freeze(
    process: AsyncLeanREPLProcess,
    warm: Warm,
    criu: Criu,
    *,
    parent: Path,
    guard: Guard | None,
    timeout_seconds: float,
) -> Image:
    folder = None
    try:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="image-", dir=parent))
        leader = process.leader
        mapped = await asyncio.to_thread(lambda: stamps(mapped_files(leader)))
        if not process.is_alive:
            raise ImageError("the REPL has ended")  # noqa: TRY301 - below is what has to be done for it
        done = await run(
            _command(process, leader, criu, folder, warm.owner), guard=guard, timeout_seconds=timeout_seconds
        )
        if done.returncode < 0:  # it leaves code of its own in its target, which then dies, or goes on wrongly
            process.kill("what was freezing it was killed")
        if done.returncode != 0:
            raise ImageError(f"criu could not freeze the REPL: {_why(done, folder / _LOG)}")  # noqa: TRY301
        return Image(folder=folder, warm=warm, mapped=mapped, written=stamps(written_files(folder)))
    except BaseException as error:
        if isinstance(error, TimeoutError):
            process.kill("freezing it took too long")
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        match error:
            case TimeoutError():
                raise ImageError(f"criu did not end within {timeout_seconds:g} s") from error
            case OSError():
                raise ImageError(f"the REPL cannot be frozen: {error}") from error
        raise


def _command(process: AsyncLeanREPLProcess, leader: int, criu: Criu, folder: Path, owner: int) -> tuple[str, ...]:
    log = folder / _LOG
    if leader == process.pid:
        return criu.dump(leader, folder, log, owner=owner)
    return criu.dump_inside(leader, number_inside(leader), folder, log)


def _why(done: Finished, log: Path) -> str:
    if done.returncode < 0:
        return f"it was ended by signal {-done.returncode}"
    return reason(log) or done.stderr or f"it exited with status {done.returncode}"


def reason(log: Path) -> str:
    """The first of CRIU's complaints in its log that say something; empty when it has none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line for line in lines if "Error" in line and not any(map(line.__contains__, _HARMLESS))]
    return "; ".join(line.partition("Error ")[2] for line in errors[:2])


def remove(image: Image) -> None:
    """Delete an image. Copies that run do not need it any more."""
    shutil.rmtree(image.folder, ignore_errors=True)
