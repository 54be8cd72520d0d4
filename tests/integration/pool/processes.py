"""Real REPL processes for these tests, and ways to see what became of them."""

import asyncio
import os
from pathlib import Path

from workers.guard import Guard
from workers.launch import Launch
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject
from workers.protocol import get_adapter
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse

LONG_SECONDS = 60.0  # for what is to succeed, on however slow a machine
SOON_SECONDS = 0.3  # for what is to be cut off


def start(
    project: LeanProject, *, guard: Guard | None = None, max_reply_bytes: int = 1_000_000
) -> AsyncLeanREPLProcess:
    launch = Launch(command=project.command, directory=project.directory)
    return AsyncLeanREPLProcess(
        launch, get_adapter(project.adapter), guard=guard, max_reply_bytes=max_reply_bytes, stderr_tail_bytes=2000
    )


async def run(process: AsyncLeanREPLProcess, code: str, environment: int | None = None) -> CommandResponse:
    """Run a command that is to succeed."""
    response = await process.send(Command(code=code, environment=environment), timeout_seconds=LONG_SECONDS)
    assert isinstance(response, CommandResponse), response
    return response


async def run_in_background(process: AsyncLeanREPLProcess, code: str, **limits: float) -> "asyncio.Task[object]":
    """Send a command and go on as soon as it is on its way."""
    limits.setdefault("timeout_seconds", LONG_SECONDS)
    task: asyncio.Task[object] = asyncio.create_task(process.send(Command(code=code), **limits))  # type: ignore[arg-type]
    await asyncio.sleep(0)  # until its first await: the frame has been written then
    assert not process.is_settled
    return task


def exists(pid: int) -> bool:
    """Whether there is such a process, zombies included."""
    return Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _answers(pid)


def runs(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
