"""The oldest community REPL that is supported, as far as a scripted one can stand for it: isolated, as on a worker."""

from collections.abc import AsyncIterator

import pytest

from producer.operation import ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.reply import complete
from producer.result import ImportStateResult, Restored, RunCodeResult, RunTacticsResult
from workers.executor import Executor
from workers.isolation.opening import open_isolation
from workers.pool import AsyncLeanREPLPool
from workers.settings import WorkerSettings
from workers.testing.project import scripted_project

SETTINGS = WorkerSettings(size=1, spares=0)
CODE = RunCode(code="theorem a : 1 = 1 := by sorry")


@pytest.fixture
async def executor() -> AsyncIterator[Executor]:
    project = scripted_project("--version", "4.9", is_line_buffered=True)
    with open_isolation(SETTINGS, project) as isolation:
        async with (
            AsyncLeanREPLPool(project, SETTINGS, isolation=isolation) as pool,
            Executor(pool, None, SETTINGS) as opened,
        ):
            yield opened


async def test_proofs_are_found_complete_and_their_states_restored(executor: Executor) -> None:
    made = complete(CODE, await executor.execute(CODE))
    assert isinstance(made, RunCodeResult)
    hole = made.sorries[0].state
    assert hole is not None
    trying = RunTactics(state=hole, tactics=("rfl", "skip", "nonsense", "sorry"))
    tried = complete(trying, await executor.execute(trying))
    assert isinstance(tried, RunTacticsResult)
    assert [tactic.is_complete for tactic in tried.tactics] == [True, False, False, False]
    assert [tactic.outcome for tactic in tried.tactics] == [
        Outcome.OK,
        Outcome.OK,
        Outcome.LEAN_ERROR,
        Outcome.OK,
    ]
    after = tried.tactics[1].state
    assert after is not None
    restored = await executor.execute(ImportState(state=after))
    assert isinstance(restored, ImportStateResult)
    assert (restored.restored, restored.goals) == (Restored.WARM, ("⊢ 1 = 1",))
