"""Puts a worker's parts together: the project, the warm pool, the store, and the executor over them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from producer.connection import open_redis
from producer.settings import Settings
from producer.store.opening import open_store
from tasks.carrier import Engine
from workers.answers import Answers
from workers.executor import Executor
from workers.images.opening import open_images
from workers.isolation.fence import Guard
from workers.isolation.opening import enclosing, open_fence
from workers.pool import AsyncLeanREPLPool
from workers.project import LeanProject, open_project
from workers.settings import WorkerSettings
from workers.tally import EngineSnapshot
from workers.verification.verifier import Verifier


class LeanEngine:
    """The parts together: they carry out operations, and can be looked at."""

    def __init__(self, pool: AsyncLeanREPLPool, executor: Executor, guards: tuple[Guard, ...]) -> None:
        self._pool = pool
        self._guards = guards
        self._executor = executor
        self.execute = executor.execute
        self.stuck = executor.stuck
        self.store_keepsakes = executor.store_keepsakes

    def __repr__(self) -> str:
        return repr(self._executor)

    def snapshot(self) -> EngineSnapshot:
        """The pool and the counters now; to be called on the event loop."""
        return EngineSnapshot(
            pool=self._pool.snapshot(),
            counts=self._executor.counts.copy(),
            guards=self._guards,
            project=self._pool.project.fingerprint,
        )


@asynccontextmanager
async def open_engine(settings: Settings, worker: WorkerSettings) -> AsyncIterator[Engine]:
    """A pool that is started, and closed when the block is left.

    Raises:
        SettingsError: the project or the store is not as the settings say.
        ReplError: no REPL could be started.
        HeaderError: the header of the settings cannot be imported.
        UnsupportedPlatformError: no REPL is configured and the embedded Lean cannot run here, or isolation is required
            and cannot be had.
    """
    project = await asyncio.to_thread(open_project, worker)
    async with AsyncExitStack() as stack:
        store = open_store(settings) if settings.store_url else None
        if store is not None:
            await stack.enter_async_context(store)
        fence = open_fence(worker, project)
        # Entered before the pool, so that it is left after the last REPL has ended.
        isolation = stack.enter_context(enclosing(fence, worker))
        images = await stack.enter_async_context(open_images(worker, project, store, is_fenced=fence.restricts))
        pool = await stack.enter_async_context(AsyncLeanREPLPool(project, worker, isolation=isolation, images=images))
        answers = _answers(settings, worker, project, stack) if worker.answer_ttl_seconds > 0 else None
        verifier = await stack.enter_async_context(Verifier(project, worker, isolation=isolation))
        executor = await stack.enter_async_context(Executor(pool, store, worker, answers=answers, verifier=verifier))
        # A REPL that cannot start, or cannot import its header, is found here and not by the first operations.
        await pool.ready()
        yield LeanEngine(pool, executor, fence.guards)


def _answers(settings: Settings, worker: WorkerSettings, project: LeanProject, stack: AsyncExitStack) -> Answers:
    redis = open_redis(settings.reply_url, name="leanfleet-answers")
    stack.push_async_callback(redis.aclose)
    return Answers(
        redis,
        ttl_seconds=worker.answer_ttl_seconds,
        max_answers=worker.max_answers,
        max_answer_bytes=worker.max_answer_bytes,
        project=project.fingerprint,
    )
