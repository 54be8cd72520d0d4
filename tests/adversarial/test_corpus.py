"""Every attempt gets the verdict that it must get, on real Lean."""

import dataclasses
import shlex
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from producer.errors import InvalidTextError
from producer.operation import VerifyProof
from producer.outcome import Outcome
from producer.reply import failure
from producer.result import VerifyProofResult
from tests.adversarial.attempt import Attempt
from tests.adversarial.corpus import CORPUS
from workers.executor import Executor
from workers.isolation.opening import open_isolation
from workers.pool import AsyncLeanREPLPool
from workers.project import LeanProject, embedded_project, repl_project
from workers.settings import WorkerSettings
from workers.verification.verifier import Verifier

EMBEDDED = [attempt for attempt in CORPUS if not attempt.needs]
ELSEWHERE = [attempt for attempt in CORPUS if attempt.needs]


@pytest.fixture(scope="module")
def toolchain(request: pytest.FixtureRequest) -> list[str]:
    """The command of a community REPL with all of Lean, as `--lean-repl` names it."""
    command = str(request.config.getoption("--lean-repl"))
    if not command:
        pytest.skip("name a REPL of a whole toolchain: --lean-repl 'lake env /opt/repl/repl'")
    return shlex.split(command)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedded() -> AsyncIterator[Executor]:
    async with AsyncExitStack() as stack:
        yield await _executor(stack, embedded_project())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def commands() -> AsyncIterator[Executor]:
    """Real Lean through the community REPL's protocol, with pickles that bring back no more than that REPL's."""
    async with AsyncExitStack() as stack:
        embedded = embedded_project()
        command = (*embedded.command, "--unpickle", "constants")
        project = dataclasses.replace(embedded, adapter="community", command=command)
        yield await _executor(stack, project)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(toolchain: list[str], request: pytest.FixtureRequest) -> AsyncIterator[Executor]:
    async with AsyncExitStack() as stack:
        directory = Path(str(request.config.getoption("--lean-project")))
        yield await _executor(stack, repl_project(toolchain, directory))


async def _executor(stack: AsyncExitStack, project: LeanProject) -> Executor:
    settings = WorkerSettings(size=1)
    isolation = stack.enter_context(open_isolation(settings, project))
    pool = await stack.enter_async_context(AsyncLeanREPLPool(project, settings, isolation=isolation))
    verifier = await stack.enter_async_context(Verifier(project, settings, isolation=isolation))
    return await stack.enter_async_context(Executor(pool, None, settings, verifier=verifier))


async def judged(executor: Executor, attempt: Attempt) -> VerifyProofResult:
    """As a client would have it: text that no Lean file can hold is refused before it is sent."""
    operation = VerifyProof(
        statement=attempt.statement,
        proof=attempt.proof,
        theorem=attempt.theorem,
        timeout_seconds=attempt.timeout_seconds,
        memory_bytes=2 * 1024**3,
    )
    try:
        result = await executor.execute(operation.checked())
    except InvalidTextError as error:
        result = failure(operation, Outcome.INVALID_REQUEST, error.message)
    assert isinstance(result, VerifyProofResult)
    return result


def confirm(attempt: Attempt, result: VerifyProofResult) -> None:
    judgement = result.judgement
    assert judgement.verdict == attempt.verdict, judgement
    assert bool(judgement.reasons) == (attempt.verdict != "proved")
    if attempt.reason:
        assert any(reason.startswith(attempt.reason) for reason in judgement.reasons), judgement


@pytest.mark.parametrize("attempt", EMBEDDED, ids=lambda attempt: attempt.name)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_attempt_gets_its_verdict(attempt: Attempt, embedded: Executor) -> None:
    confirm(attempt, await judged(embedded, attempt))


@pytest.mark.parametrize("attempt", EMBEDDED, ids=lambda attempt: attempt.name)
@pytest.mark.asyncio(loop_scope="module")
async def test_with_commands_alone_an_attempt_is_no_more_successful(attempt: Attempt, commands: Executor) -> None:
    judgement = (await judged(commands, attempt)).judgement
    if attempt.verdict == "proved":
        assert judgement.verdict == "proved", judgement
    else:
        assert judgement.verdict != "proved"


@pytest.mark.parametrize("attempt", ELSEWHERE, ids=lambda attempt: attempt.name)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_attempt_that_needs_all_of_lean_is_never_proved(attempt: Attempt, whole: Executor) -> None:
    assert (await judged(whole, attempt)).judgement.verdict != "proved"


@pytest.mark.parametrize("attempt", ELSEWHERE, ids=lambda attempt: attempt.name)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_the_core_cannot_express_is_not_proved_there_either(attempt: Attempt, embedded: Executor) -> None:
    assert (await judged(embedded, attempt)).judgement.verdict != "proved"


def test_the_corpus_is_large_and_each_name_is_used_once() -> None:
    assert len({attempt.name for attempt in CORPUS}) == len(CORPUS)
    assert len([attempt for attempt in EMBEDDED if attempt.verdict != "proved"]) >= 60
