import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers.scratch import LOCK
from workers.states.cache import PickleCache


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.name != LOCK}


def test_what_was_added_is_found_until_there_is_no_room(tmp_path: Path) -> None:
    cache = PickleCache(tmp_path, limit_bytes=250)
    for name in ("a", "b"):
        assert cache.add(name, b"x" * 100).read_bytes() == b"x" * 100
    assert cache.find("a") is not None  # used, so that b is the oldest
    cache.add("c", b"x" * 100)
    assert cache.find("b") is None
    assert files(tmp_path) == {"a", "c"}
    assert cache.total_bytes == 200
    cache.close()


def test_a_file_larger_than_the_limit_stays_until_the_next(tmp_path: Path) -> None:
    cache = PickleCache(tmp_path, limit_bytes=10)
    path = cache.add("large", b"x" * 100)
    assert path.exists()
    cache.add("small", b"x")
    assert files(tmp_path) == {"small"}
    cache.close()


def test_adding_a_name_again_counts_once(tmp_path: Path) -> None:
    cache = PickleCache(tmp_path, limit_bytes=250)
    for _ in range(5):
        cache.add("a", b"x" * 100)
    assert cache.total_bytes == 100
    cache.close()


def test_an_evicted_file_that_is_mapped_keeps_its_data(tmp_path: Path) -> None:
    cache = PickleCache(tmp_path, limit_bytes=100)
    with cache.add("a", b"x" * 100).open("rb") as mapped:
        cache.add("b", b"y" * 100)
        assert cache.find("a") is None
        assert mapped.read() == b"x" * 100
    cache.close()


def test_a_closed_cache_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = PickleCache(tmp_path, limit_bytes=100)
    cache.add("a", b"x")
    cache.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_worker_left_is_deleted_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from workers.states.cache import PickleCache;"
        "PickleCache(Path(sys.argv[1]), limit_bytes=100).add('left', b'x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert files(tmp_path) == {"left"}
    in_use = PickleCache(tmp_path, limit_bytes=100)
    assert files(tmp_path) == set()
    in_use.add("mine", b"x")
    PickleCache(tmp_path, limit_bytes=100).close()
    assert files(tmp_path) == {"mine"}
    in_use.close()


@pytest.mark.parametrize("deleted", range(1, 6))
def test_what_a_worker_left_that_was_killed_while_it_deleted_is_deleted_by_the_next(
    tmp_path: Path, deleted: int
) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from workers.states.cache import PickleCache

unlink, left = os.unlink, int(sys.argv[2])

def count(*arguments, **options):
    global left
    unlink(*arguments, **options)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

cache = PickleCache(Path(sys.argv[1]), limit_bytes=100)
for name in "abcd":
    cache.add(name, b"x")
os.unlink = count
cache.close()
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(deleted)], check=False)
    assert done.returncode == -signal.SIGKILL
    PickleCache(tmp_path, limit_bytes=100).close()
    assert files(tmp_path) == set()


def test_a_file_that_somebody_deleted_is_not_found_and_can_be_added_again(tmp_path: Path) -> None:
    cache = PickleCache(tmp_path, limit_bytes=250)
    cache.add("a", b"x" * 100).unlink()
    assert cache.find("a") is None
    assert cache.total_bytes == 0
    assert cache.add("a", b"y").read_bytes() == b"y"
    cache.close()


def test_a_folder_that_somebody_deleted_is_made_again_elsewhere(tmp_path: Path) -> None:
    """Never under the same name: whoever may write to the parent could have made it first."""
    cache = PickleCache(tmp_path, limit_bytes=250)
    gone = cache.add("a", b"x" * 100).parent
    shutil.rmtree(gone)
    assert cache.find("a") is None
    assert cache.add("b", b"y").read_bytes() == b"y"
    assert cache.folder != gone
    assert cache.total_bytes == 1
    PickleCache(tmp_path, limit_bytes=250).close()  # which deletes what is abandoned
    assert cache.find("b") is not None
    cache.close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_cache_makes_no_folder_again(tmp_path: Path) -> None:
    cache = PickleCache(tmp_path, limit_bytes=250)
    cache.close()
    with pytest.raises(FileNotFoundError):
        cache.add("late", b"x")
    assert list(tmp_path.iterdir()) == []
