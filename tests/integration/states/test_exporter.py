"""What the exporter remembers of a state that could not be pickled."""

from typing import Any

import pytest

from producer.errors import ReplTimeoutError
from producer.operation import RunTactics
from producer.state import StateRef
from tests.integration.states.conftest import Start
from tests.integration.states.test_blobs import STEPS, exported
from workers.pool import WarmREPL
from workers.protocol.responses import ErrorResponse
from workers.states.exporter import PickleFailedError
from workers.states.restorer import Limits
from workers.states.work import Export


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
