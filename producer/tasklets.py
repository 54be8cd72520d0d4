"""Running tasks side by side, and ending them for certain."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

# redis-py has been seen to swallow a cancellation that met a blocking read.
AGAIN_SECONDS = 0.5


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, as often as it takes, and return when all of them have ended; their errors are not raised."""
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=AGAIN_SECONDS)


async def together(works: Iterable[Callable[[], Awaitable[T]]], *, at_once: int) -> list[T]:
    """What all of them give, in order; at most so many run at a time. The first error ends the others and is raised."""
    limit = asyncio.Semaphore(at_once)

    async def run(work: Callable[[], Awaitable[T]]) -> T:
        async with limit:
            return await work()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(work)) for work in works]
    except* Exception as failed:  # noqa: BLE001 - it is raised again, without the group around it
        error: BaseException = failed
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return [task.result() for task in tasks]
