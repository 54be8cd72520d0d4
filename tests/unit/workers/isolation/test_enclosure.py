"""Private folders come and go with their REPLs, whatever these have made of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.isolation.enclosure import Enclosures, folder_bytes
from workers.isolation.fence import no_fence
from workers.isolation.policy import Policy
from workers.launch import Launch


@pytest.fixture
def enclosures(tmp_path: Path) -> Iterator[Enclosures]:
    opened = Enclosures(no_fence(Policy(readable=())), environ={"PATH": "/bin", "TOKEN": "x"}, parent=tmp_path)
    yield opened
    opened.close()


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


def test_the_size_of_a_folder_counts_blocks_and_no_links(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path) == 0
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b").write_bytes(bytes(1 << 20))
    (tmp_path / "link").symlink_to("/usr")
    assert 2 << 20 <= folder_bytes(tmp_path) < 3 << 20
    assert folder_bytes(tmp_path / "missing") == 0


def test_looking_at_many_small_files_ends_at_the_limit(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).touch()
    assert folder_bytes(tmp_path) == 100 * 65536
    assert 10 * 65536 < folder_bytes(tmp_path, enough=10 * 65536) <= 11 * 65536
