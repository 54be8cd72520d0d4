"""Freezing and thawing without a pool, for tests that look at one process."""

import dataclasses
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.guard import Guard
from workers.images.criu import ENVIRONMENT, Criu
from workers.images.freezing import freeze
from workers.images.image import Image
from workers.images.thawing import restoring, thaw
from workers.launch import Launch
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject
from workers.protocol import get_adapter
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse

LONG_SECONDS = 60.0


class Freezer:
    def __init__(self, criu: Criu, project: LeanProject, guard: Guard, folder: Path) -> None:
        self.criu = criu
        self.guard = guard
        self.folder = folder
        self.project = project
        self.adapter = get_adapter(project.adapter)
        plain = Launch(command=project.command, directory=project.directory)
        self.launch = Launch(
            command=plain.command, directory=plain.directory, environment={**plain.environment, **ENVIRONMENT}
        )
        self.processes: list[AsyncLeanREPLProcess] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            await process.close()

    async def start(self, code: str = "def x := 20") -> AsyncLeanREPLProcess:
        """A REPL in whose environment 0 `code` was run."""
        process = AsyncLeanREPLProcess(self.launch, self.adapter, guard=self.guard)
        self.processes.append(process)
        await run(process, code)
        return process

    async def freeze(
        self, process: AsyncLeanREPLProcess, *, into: Path | None = None, timeout_seconds: float = LONG_SECONDS
    ) -> Image:
        return await freeze(
            process,
            criu=self.criu,
            project=self.project.fingerprint,
            header="",
            environment=None,
            parent=into or self.folder,
            guard=self.guard,
            timeout_seconds=timeout_seconds,
        )

    def restored(self, image: Image) -> Launch:
        with restoring(image, self.launch, self.criu, None) as launch:
            return launch

    async def thaw(self, image: Image, *, timeout_seconds: float = LONG_SECONDS) -> AsyncLeanREPLProcess:
        return await thaw(
            image,
            self.restored(image),
            self.adapter,
            guard=self.guard,
            max_reply_bytes=1_000_000,
            stderr_tail_bytes=2000,
            started=self.processes.append,
            timeout_seconds=timeout_seconds,
        )


async def run(process: AsyncLeanREPLProcess, code: str, environment: int | None = None) -> CommandResponse:
    """Run a command that is to succeed."""
    response = await process.send(Command(code=code, environment=environment), timeout_seconds=LONG_SECONDS)
    assert isinstance(response, CommandResponse), response
    return response


def that_waits(criu: Criu, folder: Path) -> Criu:
    """One that stops before it begins: whoever wants to meet it at work is not too late."""
    program = folder / "criu"
    program.write_text(f'#!/bin/sh\nkill -STOP $$\nexec {shlex.quote(criu.program)} "$@"\n')
    program.chmod(0o755)
    return dataclasses.replace(criu, program=str(program))


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    """A file system of that size in a new folder; it is full when so much was written."""
    folder.mkdir()
    subprocess.run(("/bin/mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", str(folder)), check=True)
    try:
        yield folder
    finally:
        subprocess.run(("/bin/umount", str(folder)), check=True)
