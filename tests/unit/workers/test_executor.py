"""What becomes of an executor's parts when it is closed."""

import asyncio
from pathlib import Path

import pytest

from workers.executor import Executor
from workers.pool import AsyncLeanREPLPool
from workers.settings import WorkerSettings
from workers.testing.project import scripted_project


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
async def test_a_part_that_cannot_be_closed_spares_no_other(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = WorkerSettings(cache_directory=str(tmp_path))
    executor = Executor(AsyncLeanREPLPool(scripted_project(), settings), None, settings)
    assert names(tmp_path)

    async def fail() -> None:
        raise error

    monkeypatch.setattr(executor._exporter, "aclose", fail)
    monkeypatch.setattr(executor._blobs, "aclose", fail)
    with pytest.raises(error):
        await executor.aclose()
    assert not names(tmp_path)
