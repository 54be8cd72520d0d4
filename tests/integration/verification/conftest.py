"""Executors that verify proofs on real Lean, strongly or through the plain protocol."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import msgspec
import pytest

from producer.operation import VerifyProof
from producer.result import VerifyProofResult
from workers.executor import Executor
from workers.isolation.opening import open_isolation
from workers.pool import AsyncLeanREPLPool
from workers.project import embedded_project
from workers.settings import WorkerSettings
from workers.testing.project import scripted_pantograph
from workers.verification.verifier import Verifier

Start = Callable[..., AbstractAsyncContextManager[Executor]]


@asynccontextmanager
async def started(*, adapter: str = "embedded", **settings: object) -> AsyncIterator[Executor]:
    project = scripted_pantograph() if adapter == "pantograph" else embedded_project()
    if adapter == "community":
        # Pickles bring back no more than the community REPL's do.
        command = (*project.command, "--unpickle", "constants")
        project = dataclasses.replace(project, adapter=adapter, command=command)
    worker = msgspec.convert({"size": 1, **settings}, WorkerSettings)
    async with AsyncExitStack() as stack:
        isolation = stack.enter_context(open_isolation(worker, project))
        pool = await stack.enter_async_context(AsyncLeanREPLPool(project, worker, isolation=isolation))
        verifier = await stack.enter_async_context(Verifier(project, worker, isolation=isolation))
        yield await stack.enter_async_context(Executor(pool, None, worker, verifier=verifier))


@pytest.fixture
def start() -> Start:
    return started


async def verify(executor: Executor, proof: str, statement: str = "", **options: object) -> VerifyProofResult:
    operation = msgspec.convert(
        {"kind": "verify_proof", "proof": proof, "statement": statement, **options}, VerifyProof
    )
    result = await executor.execute(operation.checked())
    assert isinstance(result, VerifyProofResult)
    return result
