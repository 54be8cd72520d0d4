"""A folder that is shared with Lean code which nobody vouches for."""

import asyncio
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until
from workers.states import exchange
from workers.states.exchange import ExchangeError, handed, new_path, take


async def test_a_file_is_taken_and_gone(tmp_path: Path) -> None:
    path = new_path(tmp_path)
    path.write_bytes(b"pickle")
    assert await take(path, limit_bytes=6) == b"pickle"
    assert not path.exists()
    assert await take(path, limit_bytes=6) == b""


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the worker")
    path = new_path(tmp_path)
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(ExchangeError):
        await take(path, limit_bytes=100)


async def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = new_path(tmp_path)
    os.mkfifo(path)
    with pytest.raises(ExchangeError):
        await take(path, limit_bytes=100)


async def test_a_folder_is_no_pickle(tmp_path: Path) -> None:
    path = new_path(tmp_path)
    path.mkdir()
    with pytest.raises(ExchangeError):
        await take(path, limit_bytes=100)


async def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = new_path(tmp_path)
    path.write_bytes(b"x" * 101)
    with pytest.raises(ExchangeError, match="100 bytes"):
        await take(path, limit_bytes=100)


async def test_an_isolated_repl_gets_a_copy_that_is_gone_afterwards(tmp_path: Path) -> None:
    original, folder = tmp_path / "cached", tmp_path / "folder"
    original.write_bytes(b"pickle")
    folder.mkdir()
    async with handed(original, folder) as path:
        assert path.parent == folder
        path.write_bytes(b"truncated")
    assert original.read_bytes() == b"pickle"
    assert list(folder.iterdir()) == []
    async with handed(original, None) as path:
        assert path == original


async def test_a_copy_that_nobody_waits_for_any_more_is_deleted_when_it_has_been_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, folder = tmp_path / "cached", tmp_path / "folder"
    os.mkfifo(slow)
    folder.mkdir()
    begun, copy = threading.Event(), exchange._copy

    def noted(source: Path, target: Path) -> None:
        begun.set()
        copy(source, target)

    async def hand() -> None:
        async with handed(slow, folder):
            pytest.fail("nothing was read yet")

    monkeypatch.setattr(exchange, "_copy", noted)
    handing = asyncio.create_task(hand())
    await until(begun.is_set, "a thread copies")
    handing.cancel()
    await asyncio.wait([handing])
    await asyncio.to_thread(slow.write_bytes, b"pickle")
    await asyncio.get_running_loop().shutdown_default_executor()  # the thread has ended
    await until(lambda: not list(folder.iterdir()), "the copy is gone")


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_umask")
async def test_a_repl_that_runs_as_another_user_can_read_its_copy_under_a_strict_umask(tmp_path: Path) -> None:
    original, folder = tmp_path / "cached", tmp_path / "folder"
    original.write_bytes(b"pickle")
    folder.mkdir()
    async with handed(original, folder) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert stat.S_IMODE(original.stat().st_mode) == 0o600
