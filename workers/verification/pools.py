"""REPLs beside the worker's own, which no candidate's text ever reaches.

Statements are elaborated in some, constants are audited in others; the latter elaborate nothing at all. They are
started when the first proof is to be verified: most workers never need them.
"""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Literal, Self

import msgspec

from producer.errors import PoolClosedError
from workers.launch import Isolation, no_isolation
from workers.pool import AsyncLeanREPLPool, Lease
from workers.project import LeanProject
from workers.settings import WorkerSettings

Purpose = Literal["statements", "audits"]


class CleanPools:
    """One pool for each purpose."""

    def __init__(
        self, project: LeanProject, settings: WorkerSettings, *, isolation: Isolation = no_isolation, audits_apart: bool
    ) -> None:
        """With `audits_apart` each audit has a process of its own, which brings no header: what it loads names one."""
        self.project = project
        repls = settings.verify_repls or max(1, settings.repls // 2)
        audits = msgspec.structs.replace(settings, size=repls, spares=0)
        apart = msgspec.structs.replace(audits, spares=1, recycle_uses=1)  # a start is then made ahead of its use
        is_apart = settings.verify_statements == "apart"
        self._settings: dict[Purpose, WorkerSettings] = {
            "audits": msgspec.structs.replace(apart, header="") if audits_apart else audits,
            "statements": apart if is_apart else audits,
        }
        self._isolation = isolation
        self._stack = AsyncExitStack()
        self._pools: dict[Purpose, AsyncLeanREPLPool] = {}
        self._lock = asyncio.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<CleanPools {', '.join(f'{purpose}: {pool!r}' for purpose, pool in self._pools.items())}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._lock:
            self._is_closed = True
            await self._stack.aclose()

    async def lease(self, purpose: Purpose, header: str) -> Lease:
        """A lease, to be entered; see `AsyncLeanREPLPool.lease` for what entering raises."""
        pool = self._pools.get(purpose)
        if pool is None:
            async with self._lock:
                pool = self._pools.get(purpose) or await self._open(purpose)
        return pool.lease(header)

    async def _open(self, purpose: Purpose) -> AsyncLeanREPLPool:
        if self._is_closed:
            raise PoolClosedError("the worker is closing and verifies no more")
        pool = AsyncLeanREPLPool(self.project, self._settings[purpose], isolation=self._isolation)
        self._pools[purpose] = await self._stack.enter_async_context(pool)
        return pool
