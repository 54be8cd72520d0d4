"""Handing files to a REPL and taking them from it, across the wall that isolation puts between the two.

Inside is Lean code that somebody else wrote: what lies in the shared folder may be a link to a secret, a pipe that
never ends, or change while it is looked at. A REPL never sees the cache's own files, which it could truncate under
others.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from producer.errors import LeanFleetError


class ExchangeError(LeanFleetError):
    """A REPL left something else than a file that can be read and is of a bearable size."""


def new_path(folder: Path) -> Path:
    """A path at which there is nothing, under a name that nobody could have guessed."""
    return folder / f"state-{secrets.token_hex(16)}"


@asynccontextmanager
async def handed(path: Path, folder: Path | None) -> AsyncIterator[Path]:
    """`path` as the REPL can read it: itself, or a copy in the folder that the two share.

    The copy is deleted at the end: a REPL that has mapped it keeps the data.
    """
    if folder is None:
        yield path
        return
    copy = new_path(folder)
    copying = asyncio.create_task(asyncio.to_thread(_copy, path, copy))
    try:
        await asyncio.shield(copying)
        yield copy
    finally:
        if copying.done():
            _forget(copy, copying)
        else:  # cancelled, while a thread goes on with the copy
            copying.add_done_callback(lambda done: _forget(copy, done))


def _forget(copy: Path, copying: asyncio.Task[None]) -> None:
    with contextlib.suppress(OSError):
        copy.unlink()
    if not copying.cancelled():
        copying.exception()  # whoever waited has it, and nobody else need hear of it


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("xb") as writing:  # x: never through a link that is there already
        os.fchmod(writing.fileno(), 0o644)  # the REPL may run as another user, and the folder is its own
        shutil.copyfileobj(reading, writing)


async def take(path: Path, *, limit_bytes: int) -> bytes:
    """Read a file that a REPL was to write, and delete it; empty where there is none.

    Raises:
        ExchangeError: it is not a plain file, has more than `limit_bytes`, or cannot be read.
    """
    return await asyncio.to_thread(_take, path, limit_bytes)


def _take(path: Path, limit_bytes: int) -> bytes:
    try:
        # Not through a link, and without waiting for somebody to open the other end of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ExchangeError(f"a REPL left no plain file: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ExchangeError("a REPL left no plain file")
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(limit_bytes + 1)
    except OSError as error:
        raise ExchangeError(f"what a REPL left cannot be read: {error.strerror}") from error
    with contextlib.suppress(OSError):
        path.unlink()
    if len(data) > limit_bytes:
        raise ExchangeError(f"a pickle of more than {limit_bytes:,} bytes is not kept")
    return data
