"""Temporary folders are removed, whatever is in them and whoever was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from workers.isolation.enclosure import folder_bytes
from workers.scratch import ScratchFolder, remove_tree


def test_nothing_is_left_after_closing(tmp_path: Path) -> None:
    scratch = ScratchFolder("test-", parent=tmp_path)
    (scratch.path / "file").touch()
    assert scratch.path.stat().st_mode & 0o077 == 0
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_folders_in_use_are_left_alone_and_abandoned_ones_deleted(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from workers.scratch import ScratchFolder
scratch = ScratchFolder("test-", parent=Path(sys.argv[1]))
(scratch.path / "left").touch()
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run((sys.executable, "-c", program, str(tmp_path)), check=False)
    assert killed.returncode == -signal.SIGKILL
    (abandoned,) = tmp_path.iterdir()
    (tmp_path / "test-of-somebody-else").mkdir()
    first = ScratchFolder("test-", parent=tmp_path)
    second = ScratchFolder("test-", parent=tmp_path)
    assert not abandoned.exists()
    assert {first.path, second.path, tmp_path / "test-of-somebody-else"} == set(tmp_path.iterdir())
    first.close()
    second.close()


def test_a_folder_whose_maker_was_killed_before_it_had_its_name_is_deleted(tmp_path: Path) -> None:
    abandoned, young, anothers = (tmp_path / f"making-{name}" for name in ("test-old", "test-young", "other-old"))
    for folder in (abandoned, young, anothers):
        folder.mkdir()
    (abandoned / ".lock").touch()
    yesterday = time.time() - 24 * 3600
    for folder in (abandoned, anothers):
        os.utime(folder, (yesterday, yesterday))
    scratch = ScratchFolder("test-", parent=tmp_path)
    assert {scratch.path, young, anothers} == set(tmp_path.iterdir())
    scratch.close()


def test_a_folder_too_deep_for_recursion_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(2 * sys.getrecursionlimit()):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    assert folder_bytes(top) < 1024**2  # it does not walk all the way down either
    remove_tree(top)
    assert not top.exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(precious)
    remove_tree(top)
    assert (precious / "file").exists()
    assert not top.exists()
