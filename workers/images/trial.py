"""Whether freezing and thawing really work here, found out by doing it once, and how long a thaw takes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import msgspec

from workers.images.errors import ImageError
from workers.images.image import Image
from workers.images.opening import open_stock
from workers.isolation.opening import open_fence
from workers.pool import AsyncLeanREPLPool, FrozenREPL
from workers.project import LeanProject
from workers.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Trial:
    criu: str
    thaw_seconds: float
    size_bytes: int


@asynccontextmanager
async def made(
    worker: WorkerSettings, project: LeanProject, header: str
) -> AsyncIterator[tuple[AsyncLeanREPLPool, Image]]:
    """A pool, and an image of a REPL that has imported `header`, as workers with these settings make and thaw it.

    Raises:
        ImageError: this machine cannot freeze it.
        HeaderError: the header cannot be imported.
        ReplError: REPLs do not start.
    """
    fence = await asyncio.to_thread(open_fence, worker, project)
    async with AsyncExitStack() as stack:
        try:
            stock = await stack.enter_async_context(
                open_stock(worker, project, is_fenced=fence.restricts, freezes=False)
            )
        except OSError as error:
            raise ImageError(f"there is no room for an image: {error}") from error
        small = msgspec.structs.replace(worker, size=1, spares=0, header=header)
        pool = await stack.enter_async_context(AsyncLeanREPLPool(project, small, images=stock))
        yield pool, await pool.make_image(header)


async def try_images(worker: WorkerSettings, project: LeanProject) -> Trial:
    """Freeze a REPL and thaw it. Raises as `made` does."""
    async with made(worker, project, worker.header) as (pool, image):
        await pool.ready()  # not to be waited for below
        started = time.monotonic()
        async with pool.thaw(FrozenREPL(image=image, states={})):
            seconds = time.monotonic() - started
    return Trial(criu=image.warm.machine.criu, thaw_seconds=seconds, size_bytes=image.size_bytes)
