"""Private folders come and go with their REPLs, whatever these have made of them."""

import os
import sys
from pathlib import Path

import pytest

from workers.isolation.enclosure import Enclosures, folder_bytes, remove_tree
from workers.isolation.fence import no_fence
from workers.isolation.policy import Policy
from workers.launch import Launch


@pytest.fixture
def enclosures(tmp_path: Path) -> Enclosures:
    return Enclosures(no_fence(Policy(readable=())), environ={"PATH": "/bin", "TOKEN": "x"}, parent=tmp_path)


def test_each_launch_has_a_folder_and_home_of_its_own(enclosures: Enclosures) -> None:
    plain = Launch(command=("repl",), environment={"LEAN_PATH": "/lean", "AWS_SESSION_TOKEN": "x", "HOME": "/root"})
    with enclosures(plain) as first, enclosures(plain) as second:
        assert first.folder is not None
        assert second.folder is not None
        assert first.folder != second.folder
        assert first.folder.stat().st_mode & 0o077 == 0
        assert first.environment["HOME"] == str(first.folder)
        assert first.environment["LEAN_PATH"] == "/lean"
        assert not {"TOKEN", "AWS_SESSION_TOKEN"} & set(first.environment)
        folder = first.folder
    assert not folder.exists()


def test_nothing_is_left_after_closing(enclosures: Enclosures, tmp_path: Path) -> None:
    with enclosures(Launch(command=("repl",))) as launch:
        assert launch.folder is not None
        (launch.folder / "left").touch()
    enclosures.close()
    assert list(tmp_path.iterdir()) == []


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


def test_the_size_of_a_folder_counts_blocks_and_no_links(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path) == 0
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b").write_bytes(bytes(1 << 20))
    (tmp_path / "link").symlink_to("/usr")
    assert 2 << 20 <= folder_bytes(tmp_path) < 3 << 20
    assert folder_bytes(tmp_path / "missing") == 0
