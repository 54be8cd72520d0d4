"""Workers of the real kind: a pool of embedded Lean processes and an executor, sharing a store with others."""

import dataclasses
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from producer.operation import AnyOperation
from producer.reply import complete
from producer.result import AnyResult
from producer.settings import Settings
from producer.store import AsyncStore, open_store
from workers.executor import Executor
from workers.isolation.opening import open_isolation
from workers.pool import AsyncLeanREPLPool
from workers.project import LeanProject, embedded_project
from workers.settings import WorkerSettings
from workers.states.costs import Costs

KEY = "a key for the tests only"


class Worker:
    """One worker machine, as far as states go."""

    def __init__(self, executor: Executor, pool: AsyncLeanREPLPool, store: AsyncStore) -> None:
        self.executor = executor
        self.pool = pool
        self.store = store

    async def run(self, operation: AnyOperation) -> AnyResult:
        return complete(operation, await self.executor.execute(operation))


Start = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture(scope="session")
def project() -> LeanProject:
    return embedded_project()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that find what is announced however busy this machine is."""
    monkeypatch.setattr("workers.states.blobs._LOOK_SECONDS", 30.0)


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri()


@pytest.fixture
def start(project: LeanProject, store_url: str, tmp_path: Path) -> Start:
    """Starts workers that have never seen anything. `dear=True`: they believe that steps are slow, and use blobs."""

    @asynccontextmanager
    async def start(
        *, dear: bool = False, dies_at: str = "", fingerprint: str = "", store: bool = True, **settings: object
    ) -> AsyncIterator[Worker]:
        worker = msgspec.convert(
            {
                "size": 1,
                "spares": 1,
                "blob_keys": KEY,
                "cache_directory": str(tmp_path / "cache"),
                "export_after_seconds": 1e9,
                **settings,
            },
            WorkerSettings,
        )
        lean = project
        if dies_at:
            fragile = (sys.executable, str(Path(__file__).with_name("fragile.py")), dies_at, "--")
            lean = dataclasses.replace(lean, command=fragile + lean.command)
        if fingerprint:
            lean = dataclasses.replace(lean, fingerprint=fingerprint)
        costs = Costs(command_seconds=1000, tactic_seconds=1000) if dear else Costs()
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(open_store(Settings(store_url=store_url)))
            isolation = stack.enter_context(open_isolation(worker, lean))
            pool = await stack.enter_async_context(AsyncLeanREPLPool(lean, worker, isolation=isolation))
            executor = Executor(pool, opened if store else None, worker, costs=costs)
            yield Worker(await stack.enter_async_context(executor), pool, opened)

    return start
