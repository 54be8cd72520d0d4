"""Ending background tasks for certain."""

import asyncio
from typing import Any

# redis-py has been seen to swallow a cancellation that met a blocking read.
AGAIN_SECONDS = 0.5


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, as often as it takes, and return when all of them have ended; their errors are not raised."""
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
