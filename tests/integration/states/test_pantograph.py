"""The whole way with Pantograph's protocol, on real processes of a scripted peer: its own program was not at hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producer.operation import AnyOperation, ExportState, ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.reply import complete
from producer.result import (
    AnyResult,
    ExportStateResult,
    ImportStateResult,
    Restored,
    RunCodeResult,
    RunTacticsResult,
)
from producer.settings import Settings
from producer.state import StateRef
from producer.store import open_store
from workers.executor import Executor
from workers.pool import AsyncLeanREPLPool
from workers.protocol.pantograph import StartGoal
from workers.protocol.requests import PickleEnvironment, UnpickleEnvironment
from workers.protocol.responses import CommandResponse, TacticResponse
from workers.settings import WorkerSettings
from workers.states.costs import Costs
from workers.testing.project import scripted_pantograph

SETTINGS = WorkerSettings(size=1, spares=1, blob_keys="a key for the tests only")


@pytest.fixture
async def pool() -> AsyncIterator[AsyncLeanREPLPool]:
    async with AsyncLeanREPLPool(scripted_pantograph(), SETTINGS) as opened:
        yield opened


@pytest.fixture
async def executor(pool: AsyncLeanREPLPool, tmp_path: Path) -> AsyncIterator[Executor]:
    async with (
        open_store(Settings(store_url=tmp_path.as_uri())) as store,
        Executor(pool, store, SETTINGS) as opened,
    ):
        yield opened


@pytest.fixture
async def forgetful(pool: AsyncLeanREPLPool, tmp_path: Path) -> AsyncIterator[Executor]:
    """Another one on the same store, which takes steps for dear, and so uses blobs."""
    dear = Costs(command_seconds=1000, tactic_seconds=1000)
    async with (
        open_store(Settings(store_url=tmp_path.as_uri())) as store,
        Executor(pool, store, SETTINGS, costs=dear) as opened,
    ):
        yield opened


async def run(executor: Executor, operation: AnyOperation) -> AnyResult:
    return complete(operation, await executor.execute(operation))


async def hole(executor: Executor) -> StateRef:
    result = await run(executor, RunCode(code="theorem a : P := by sorry"))
    assert isinstance(result, RunCodeResult)
    assert [message.severity for message in result.messages] == ["warning"]
    assert result.sorries[0].goal.endswith("⊢ P")
    assert result.sorries[0].state is not None
    return result.sorries[0].state


async def test_tactics_are_run_and_each_has_its_outcome(executor: Executor) -> None:
    result = await run(
        executor, RunTactics(state=await hole(executor), tactics=("split", "no", "bad", "%exit", "done"))
    )
    assert isinstance(result, RunTacticsResult)
    assert [tactic.outcome for tactic in result.tactics] == [
        Outcome.OK,
        Outcome.LEAN_ERROR,
        Outcome.LEAN_ERROR,
        Outcome.REPL_DIED,
        Outcome.OK,
    ]
    assert [goal.splitlines()[-1] for goal in result.tactics[0].goals] == ["⊢ P.left", "⊢ P.right"]
    assert result.tactics[4].is_complete


async def test_a_state_is_exported_and_restored_from_its_blob_with_its_goals(
    executor: Executor, forgetful: Executor, pool: AsyncLeanREPLPool
) -> None:
    split = await run(executor, RunTactics(state=await hole(executor), tactics=("split",)))
    assert isinstance(split, RunTacticsResult)
    assert split.tactics[0].state is not None
    exported = await run(executor, ExportState(state=split.tactics[0].state))
    assert isinstance(exported, ExportStateResult)
    assert exported.state is not None
    assert exported.state.blob is not None
    async with pool.lease() as repl:
        repl.states.clear()
    imported = await run(forgetful, ImportState(state=exported.state))
    assert isinstance(imported, ImportStateResult)
    assert imported.restored is Restored.BLOB
    assert imported.goals == split.tactics[0].goals


async def test_an_environment_after_commands_is_refused_in_words(executor: Executor) -> None:
    made = await run(executor, RunCode(code="def a := 1"))
    assert isinstance(made, RunCodeResult)
    result = await run(executor, RunCode(code="#eval a", state=made.state))
    assert result.outcome is Outcome.INVALID_REQUEST
    assert "definitions together" in result.reason


async def test_imports_of_a_text_are_refused_in_words(executor: Executor) -> None:
    result = await run(executor, RunCode(code="import Mathlib\n#eval 1"))
    assert result.outcome is Outcome.LEAN_ERROR
    assert "repl_command" in result.reason


async def test_a_goal_can_be_started_and_the_environment_saved(pool: AsyncLeanREPLPool, tmp_path: Path) -> None:
    async with pool.lease() as repl:
        started = await repl.send(StartGoal(expression="P"), timeout_seconds=10)
        assert isinstance(started, TacticResponse)
        saved = await repl.send(PickleEnvironment(environment=0, path=tmp_path / "env"), timeout_seconds=10)
        assert isinstance(saved, CommandResponse)
        loaded = await repl.send(UnpickleEnvironment(path=tmp_path / "env"), timeout_seconds=10)
        assert isinstance(loaded, CommandResponse)
