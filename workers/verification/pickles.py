"""Environments on their way from the REPL that a text ran in to one that has seen nothing.

Of an environment the community REPL unpickles constants, and the scopes that were open; no syntax and no attributes. A
pickle is an image of memory: what reads it is good for one verdict, and is fenced like the one that wrote it.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from producer.errors import PoolClosedError, ReplDiedError
from workers.outcomes import soft_error
from workers.pool import WarmREPL
from workers.protocol.requests import PickleEnvironment, UnpickleEnvironment
from workers.protocol.responses import ErrorResponse
from workers.states.exchange import ExchangeError, new_path, take
from workers.states.restorer import Limits


class UnusablePickleError(Exception):
    """A REPL cannot pickle an environment, or another does not take it; the text says why."""


async def taken(repl: WarmREPL, environment: int, limits: Limits, *, limit_bytes: int) -> bytes:
    """An environment of `repl`, pickled.

    Raises:
        UnusablePickleError: it says that it cannot, or left no plain file of at most `limit_bytes`.
        ReplError: it broke a limit or ended.
    """
    async with _folder(repl) as folder:
        path = new_path(folder)
        try:
            response = await repl.send(
                PickleEnvironment(environment=environment, path=path),
                timeout_seconds=limits.remaining_seconds(),
                memory_bytes=limits.memory_bytes,
            )
            if isinstance(response, ErrorResponse):
                raise UnusablePickleError(soft_error(response))
            pickle = await take(path, limit_bytes=limit_bytes)
        except ExchangeError as error:
            raise UnusablePickleError(error.message) from error
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
    if not pickle:
        raise UnusablePickleError("the REPL wrote nothing")
    return pickle


async def loaded(repl: WarmREPL, pickle: bytes, limits: Limits) -> int:
    """The number that a pickled environment has in `repl`.

    Raises:
        UnusablePickleError: Lean's kernel does not accept its constants. The REPL may have ended.
        ReplError: it broke a limit or ended, or could not be given the file.
    """
    async with _folder(repl) as folder:
        path = new_path(folder)
        try:
            await asyncio.to_thread(_write, path, pickle)
            response = await repl.send(
                UnpickleEnvironment(path=path),
                timeout_seconds=limits.remaining_seconds(),
                memory_bytes=limits.memory_bytes,
            )
        except PoolClosedError:
            raise
        except ReplDiedError as error:
            if "(kernel)" in error.message:  # which the community REPL does not survive
                raise UnusablePickleError(error.message) from error
            raise
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
    if isinstance(response, ErrorResponse):
        raise UnusablePickleError(soft_error(response))
    return response.environment


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:  # x: never through a link that is there already
            os.fchmod(file.fileno(), 0o644)  # the REPL may run as another user, and the folder is its own
            file.write(data)
    except OSError as error:
        raise ReplDiedError(f"an environment cannot be handed to a REPL: {error}") from error


@asynccontextmanager
async def _folder(repl: WarmREPL) -> AsyncIterator[Path]:
    """Where the worker and this REPL can exchange a file."""
    if repl.folder is not None:
        yield repl.folder
        return
    # Whoever was to write there may still be at it.
    with tempfile.TemporaryDirectory(prefix="leanfleet-verdict-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
