"""Running CRIU as a child like any other: it ends with its worker, and is always waited for."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from workers.child import Child
from workers.guard import Guard
from workers.launch import Launch

_STDERR_BYTES = 4096


class Finished(NamedTuple):
    returncode: int
    stderr: str


async def run(command: Sequence[str], *, guard: Guard | None, timeout_seconds: float) -> Finished:
    """Run it to its end.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it took too long. It was killed, as when this is cancelled, and leaves its target stopped.
    """
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    child = Child(
        Launch(command=tuple(command)),
        guard=guard,
        on_output=lambda _: None,
        on_exit=ended.set_result,
        stderr_bytes=_STDERR_BYTES,
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            returncode = await asyncio.shield(ended)
    except BaseException:
        child.kill()
        await child.wait()
        raise
    return Finished(returncode, child.stderr_tail)
