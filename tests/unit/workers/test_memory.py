"""Memory is counted for a whole process group, without what all REPLs share."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until
from workers.memory import GroupMemory, _cgroup_limits, machine_bytes

MIB = 1024**2

ALLOCATE = "import sys; held = b'x' * int(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"
ALLOCATE_IN_A_CHILD = (
    "import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', sys.argv[2], sys.argv[1]])"
)


@contextmanager
def group(*argv: str) -> Iterator[int]:
    process = subprocess.Popen(
        (sys.executable, "-I", "-S", "-c", *argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, 9)


def test_what_a_process_has_filled_is_counted() -> None:
    with group(ALLOCATE, str(100 * MIB)) as pid:
        assert 100 * MIB <= GroupMemory().used_bytes(pid) < 150 * MIB


def test_what_a_child_in_the_group_has_filled_is_counted() -> None:
    with group(ALLOCATE_IN_A_CHILD, str(100 * MIB), ALLOCATE) as pid:
        assert 100 * MIB <= GroupMemory().used_bytes(pid) < 150 * MIB


def test_a_child_that_came_after_a_scan_is_found_by_the_next() -> None:
    now = 0.0
    memory = GroupMemory(rescan_seconds=10.0, clock=lambda: now)
    memory.used_bytes(os.getpid())  # scans
    with group(ALLOCATE_IN_A_CHILD, str(100 * MIB), ALLOCATE) as pid:
        assert memory.used_bytes(pid) < 100 * MIB
        now = 10.0
        assert memory.used_bytes(pid) >= 100 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells mapped files from other memory")
def test_a_mapped_file_is_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "modules.olean"
    file.write_bytes(b"x" * 100 * MIB)
    touch = (
        "import mmap, sys; file = open(sys.argv[1], 'rb'); held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ);"
        "sum(held[::4096]); print('ready', flush=True); sys.stdin.read()"
    )
    with group(touch, str(file)) as pid:
        assert GroupMemory().used_bytes(pid) < 50 * MIB


def test_a_group_that_is_gone_holds_nothing() -> None:
    with group(ALLOCATE, "1") as pid:
        pass
    wait_until(lambda: GroupMemory().used_bytes(pid) == 0, "nothing is left of the group")


def test_the_machine_has_the_memory_that_it_has() -> None:
    assert 0 < machine_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("membership", "file", "limit"),
    [
        pytest.param("0::/pod/worker\n", "pod/memory.max", 5 * MIB, id="version 2, a group above sets the limit"),
        pytest.param("0::/outside/path\n", "memory.max", 6 * MIB, id="version 2 in a container"),
        pytest.param(
            "5:cpu:/x\n9:memory:/docker/a\n",
            "memory/docker/a/memory.limit_in_bytes",
            7 * MIB,
            id="version 1",
        ),
    ],
)
def test_the_limit_of_a_cgroup_is_found(tmp_path: Path, membership: str, file: str, limit: int) -> None:
    (tmp_path / "cgroup").write_text(membership)
    mounted = tmp_path / "mounted"
    (mounted / file).parent.mkdir(parents=True)
    (mounted / file).write_text(f"{limit}\n")
    assert list(_cgroup_limits(tmp_path / "cgroup", mounted)) == [limit]


def test_a_cgroup_without_a_limit_sets_none(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/a\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "memory.max").write_text("max\n")
    assert list(_cgroup_limits(tmp_path / "cgroup", tmp_path)) == []
