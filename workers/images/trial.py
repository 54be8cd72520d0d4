"""Whether freezing and thawing really work here, found out by doing it once, and what each takes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from workers.images.criu import find_criu
from workers.images.stock import ImageStock
from workers.pool import AsyncLeanREPLPool, FrozenREPL
from workers.project import LeanProject
from workers.settings import PoolSettings

S = TypeVar("S", bound=PoolSettings)


@dataclass(frozen=True, kw_only=True)
class Trial:
    criu: str
    start_seconds: float
    freeze_seconds: float
    thaw_seconds: float
    size_bytes: int


@asynccontextmanager
async def frozen_repl(
    project: LeanProject, settings: PoolSettings, header: str
) -> AsyncIterator[tuple[AsyncLeanREPLPool, FrozenREPL, float]]:
    """A pool of two, a REPL of it that was frozen right after it had imported `header`, and how long freezing took.

    Raises:
        ImageError: this machine cannot freeze it.
        HeaderError: the header cannot be imported.
        ReplError: REPLs do not start.
    """
    criu = await asyncio.to_thread(find_criu)
    small = msgspec.structs.replace(settings, size=2, spares=0, header=header)
    stock = await asyncio.to_thread(ImageStock, criu, project=project.fingerprint, freezes=False)
    with contextlib.closing(stock):
        async with AsyncLeanREPLPool(project, small, images=stock) as pool:
            async with pool.lease(header) as repl:
                started = time.monotonic()
                frozen = await pool.freeze(repl)
                seconds = time.monotonic() - started
            yield pool, frozen, seconds


async def try_images(project: LeanProject, settings: PoolSettings) -> Trial:
    """Freeze a REPL and thaw it. Raises as `frozen_repl` does."""
    criu = await asyncio.to_thread(find_criu)
    began = time.monotonic()
    async with frozen_repl(project, settings, settings.header) as (pool, frozen, freeze_seconds):
        start_seconds = time.monotonic() - began - freeze_seconds
        thaw = time.monotonic()
        async with pool.thaw(frozen):
            thaw_seconds = time.monotonic() - thaw
    return Trial(
        criu=criu.version,
        start_seconds=start_seconds,
        freeze_seconds=freeze_seconds,
        thaw_seconds=thaw_seconds,
        size_bytes=frozen.image.size_bytes,
    )
