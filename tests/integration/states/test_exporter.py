"""What the exporter remembers of a state that could not be pickled, and what it does not try at all."""

from pathlib import Path
from typing import Any

import pytest

from producer.errors import ReplDiedError, ReplError, ReplOutOfMemoryError, ReplTimeoutError
from producer.operation import ExportState, RunTactics
from producer.outcome import Outcome
from producer.result import ExportStateResult
from producer.settings import Settings
from producer.state import CommandStep, SorryStep, StateRef
from producer.store import open_store
from tests.integration.states.conftest import Start
from tests.integration.states.test_blobs import STEPS, exported
from workers.executor import Executor
from workers.pool import AsyncLeanREPLPool, WarmREPL
from workers.protocol.responses import ErrorResponse
from workers.settings import WorkerSettings
from workers.states.exporter import PickleFailedError
from workers.states.restorer import Limits
from workers.states.work import Export
from workers.testing.project import scripted_project


async def test_a_state_for_which_no_time_was_left_is_not_taken_for_one_that_kills(start: Start) -> None:
    async with start() as worker:
        state = StateRef(steps=STEPS).in_project(worker.pool.project.fingerprint)
        await worker.run(RunTactics(state=state, tactics=("skip",)))
        exporter = worker.executor._exporter
        async with worker.pool.lease("", (state.id,)) as repl:
            export = Export(state.id, state.depth, repl.states[state.id])
            with pytest.raises(ReplTimeoutError):
                await exporter.pickle(repl, export, Limits(timeout_seconds=0, memory_bytes=2**32))
        assert exporter.why_not(state.id) == ""
        assert worker.executor.counts["export_killed"] == 0
        assert (await exported(worker)).blob is not None


class FullDisk(WarmREPL):
    """One whose machine has no room for a pickle."""

    async def send(self, *_: Any, **__: Any) -> Any:
        return ErrorResponse(message="resource exhausted (error code: 28, no space left on device)")


async def test_a_state_that_met_a_full_disk_is_tried_again_later(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as worker:
        state = StateRef(steps=STEPS).in_project(worker.pool.project.fingerprint)
        await worker.run(RunTactics(state=state, tactics=("skip",)))
        exporter = worker.executor._exporter
        limits = Limits(timeout_seconds=60, memory_bytes=2**32)
        for believed_seconds, why_not in ((300, "no space left"), (0, "")):
            monkeypatch.setattr("workers.states.exporter._BELIEVED_SECONDS", believed_seconds)
            async with worker.pool.lease("", (state.id,)) as repl:
                export = Export(state.id, state.depth, repl.states[state.id])
                with pytest.raises(PickleFailedError, match="no space left"):
                    await exporter.pickle(FullDisk(repl.member), export, limits)
            assert why_not in exporter.why_not(state.id)
        assert (await exported(worker)).blob is not None


class Killed(WarmREPL):
    """One that ends while it pickles."""

    error: ReplError

    async def send(self, *_: Any, **__: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "timeout_seconds", "remembered"),
    [
        (ReplDiedError("INTERNAL PANIC"), 60, "for ever"),
        (ReplTimeoutError("no answer"), 60, "for a while"),
        (ReplTimeoutError("no answer"), 2, "not"),  # it was the time that was short
        (ReplOutOfMemoryError("too much"), 2, "for a while"),
    ],
)
async def test_a_state_is_given_up_for_ever_only_where_its_process_died_of_it(
    start: Start, monkeypatch: pytest.MonkeyPatch, error: ReplError, timeout_seconds: float, remembered: str
) -> None:
    async with start() as worker:
        state = StateRef(steps=STEPS).in_project(worker.pool.project.fingerprint)
        await worker.run(RunTactics(state=state, tactics=("skip",)))
        exporter = worker.executor._exporter
        for believed_seconds, is_believed in ((0, remembered == "for ever"), (300, remembered != "not")):
            monkeypatch.setattr("workers.states.exporter._BELIEVED_SECONDS", believed_seconds)
            async with worker.pool.lease("", (state.id,)) as repl:
                killed = Killed(repl.member)
                killed.error = error
                export = Export(state.id, state.depth, repl.states[state.id])
                with pytest.raises(PickleFailedError, match=error.message):
                    await exporter.pickle(killed, export, Limits(timeout_seconds=timeout_seconds, memory_bytes=2**32))
            assert (error.message in exporter.why_not(state.id)) is is_believed


async def test_a_state_that_no_repl_could_load_is_not_pickled(tmp_path: Path) -> None:
    """The community REPL cannot load what comes behind commands: no worker would ever ask for the pickle."""
    settings = WorkerSettings(size=1, spares=0, blob_keys="a key for the tests only", export_after_seconds=0)
    plain = StateRef(steps=(CommandStep("theorem a : 1 = 1 := by sorry"), SorryStep(0)))
    behind = StateRef(steps=(CommandStep("def two := 2"), *plain.steps))
    async with (
        open_store(Settings(store_url=tmp_path.as_uri())) as store,
        AsyncLeanREPLPool(scripted_project(), settings) as pool,
        Executor(pool, store, settings) as executor,
    ):
        result = await executor.execute(ExportState(state=behind))
        assert isinstance(result, ExportStateResult)
        assert (result.outcome, result.state) == (Outcome.OK, behind.in_project(pool.project.fingerprint))
        assert "onto commands" in result.reason
        await executor.execute(RunTactics(state=behind, tactics=("skip",)))
        assert not executor._exporter.tasks
        assert await executor.store_keepsakes(seconds=60) == 0
        assert [info async for info in store.list()] == []
        await executor.execute(RunTactics(state=plain, tactics=("skip",)))
        assert executor._exporter.tasks
