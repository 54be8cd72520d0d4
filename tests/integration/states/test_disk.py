"""What happens to a worker's own disk, and to what is written about blobs, costs time and never the state."""

import shutil
from pathlib import Path

import pytest

from producer.operation import ExportState
from producer.outcome import Outcome
from producer.result import ExportStateResult, Restored
from producer.state import StateRef
from tests.integration.states.conftest import Start
from tests.integration.states.test_blobs import GOALS, STEPS, exported, imported
from workers.states.blobs import export_name


@pytest.mark.parametrize("isolation", ["auto", "off"])
async def test_a_cache_that_was_deleted_under_the_worker_is_filled_again(start: Start, isolation: str) -> None:
    """Whoever cleans temporary folders does not ask."""
    async with start() as here, start(dear=True, isolation=isolation) as there:
        state = await exported(here)
        for _ in range(3):
            shutil.rmtree(there.executor._cache.folder)
            result = await imported(there, state)
            assert (result.restored, result.goals) == (Restored.BLOB, GOALS)
            async with there.pool.lease() as repl:
                repl.states.clear()


async def test_a_disk_that_takes_nothing_costs_time_and_never_the_state(start: Start, tmp_path: Path) -> None:
    async with start() as here, start(dear=True, cache_directory=str(tmp_path / "gone")) as there:
        state = await exported(here)
        shutil.rmtree(tmp_path / "gone")
        (tmp_path / "gone").write_bytes(b"no folder can be made here")
        result = await imported(there, state)
        assert (result.restored, result.goals) == (Restored.REPLAY, GOALS)
        assert there.executor.counts["fallback_unavailable"] == 1


async def test_a_disk_that_takes_no_pickle_leaves_a_state_without_one(start: Start, tmp_path: Path) -> None:
    """It is this machine's trouble and no fault of whoever asks."""
    async with start(isolation="off", cache_directory=str(tmp_path / "gone")) as worker:
        shutil.rmtree(tmp_path / "gone")
        (tmp_path / "gone").write_bytes(b"no folder can be made here")
        result = await worker.run(ExportState(state=StateRef(steps=STEPS)))
        assert isinstance(result, ExportStateResult)
        assert result.outcome is Outcome.OK
        assert "cannot write a pickle" in result.reason
        assert result.state == StateRef(project=worker.pool.project.fingerprint, steps=STEPS)


@pytest.mark.parametrize("junk", [b'{"sha256": "\xff"}', b"\xff\xfe", b'{"sha256": "', b"[]", b""])
async def test_an_announcement_that_cannot_be_read_is_ignored(start: Start, junk: bytes) -> None:
    async with start(dear=True) as there:
        state = StateRef(steps=STEPS).in_project(there.pool.project.fingerprint)
        await there.store.put_named(export_name(state.id), junk)
        assert (await imported(there, state)).goals == GOALS
