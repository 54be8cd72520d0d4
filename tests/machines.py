"""Workers for tests: real processes with scripted REPLs, which need no Lean and misbehave on demand."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from workers.testing import scripted

ROOT = Path(__file__).resolve().parents[1]
_SCRIPT = Path(scripted.__file__)


def worker_environ(broker_url: str, queue: str, **overrides: str) -> dict[str, str]:
    """The environment of a worker of `queue`; `overrides` are settings without their prefix, in capitals."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LEANFLEET_")}
    settings = {
        "BROKER_URL": broker_url,
        "QUEUE": queue,
        "WORKER_REPL_COMMAND": shlex.join([sys.executable, "-I", "-S", str(_SCRIPT)]),
        "WORKER_SIZE": "2",
        "WORKER_SPARES": "1",
        "REDELIVERY_LEASE_SECONDS": "2",
        "REDELIVERY_GRACE_SECONDS": "3",
        **overrides,
    }
    return {**ours, **{f"LEANFLEET_{name}": value for name, value in settings.items()}}


def scripted_repls(under: int) -> list[psutil.Process]:
    """The scripted REPLs that descend from the process `under`."""
    return [child for child in psutil.Process(under).children(recursive=True) if is_repl(child)]


@contextlib.contextmanager
def paused_repls(under: int | None) -> Iterator[None]:
    """What a worker's scripted REPLs have begun is not done before the block is left, however long that takes."""
    assert under is not None
    repls = scripted_repls(under)
    assert repls
    try:
        for each in repls:
            each.suspend()
        yield
    finally:
        for each in repls:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()


def repl_groups(under: int) -> set[int]:
    """Their process groups: one for each REPL, however many processes it takes to isolate it."""
    groups = set()
    for process in scripted_repls(under):
        with contextlib.suppress(ProcessLookupError):
            groups.add(os.getpgid(process.pid))
    return groups


def is_repl(process: psutil.Process) -> bool:
    try:
        return str(_SCRIPT) in process.cmdline()
    except psutil.Error:
        return False


def is_gone(process: psutil.Process) -> bool:
    """Ended, whether or not somebody has asked for its exit code."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
