"""Control groups on the real kernel, as far as this machine gives us any."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from workers.isolation.cgroup import Cgroups
from workers.isolation.policy import Limits


@pytest.fixture
def top() -> str:
    """The root of whatever version 2 tree there is."""
    if sys.platform != "linux":
        pytest.skip("control groups are Linux's")
    roots = [
        words[1]
        for line in Path("/proc/self/mounts").read_text().splitlines()
        if (words := line.split())[2] == "cgroup2"
    ]
    if not roots or not os.access(roots[0], os.W_OK):
        pytest.skip("there is no cgroup v2 that these tests may write to")
    return roots[0]


@pytest.fixture
def groups(top: str) -> Iterator[Cgroups]:
    """Without controllers, which version 1 may have taken."""
    try:
        opened = Cgroups(top, Limits(), controllers=())
    except OSError as error:
        pytest.skip(f"this machine's cgroup v2 cannot be divided: {error}")
    yield opened
    opened.close()
    assert not opened._root.exists()


def test_a_command_runs_inside_of_its_group(groups: Cgroups) -> None:
    group = groups.new("one")
    done = subprocess.run(
        groups.command(group, ("/bin/cat", "/proc/self/cgroup")), capture_output=True, text=True, check=True
    )
    assert f"/{group.parent.name}/one\n" in done.stdout
    groups.remove(group)
    assert not group.exists()


def test_removing_a_group_kills_who_escaped_into_a_session(groups: Cgroups) -> None:
    group = groups.new("two")
    escape = "import os, time\nos.setsid() if os.fork() == 0 else os._exit(0)\ntime.sleep(60)"
    subprocess.run(groups.command(group, (sys.executable, "-I", "-S", "-c", escape)), check=True)
    (escaped,) = [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    wait_until(lambda: os.getsid(escaped) == escaped, "it has a session of its own")
    groups.remove(group)
    assert not group.exists()
    wait_until(lambda: not Path(f"/proc/{escaped}").exists(), "it is dead")


def test_closing_one_set_of_groups_touches_no_other_of_the_same_worker(groups: Cgroups, top: str) -> None:
    """As when a fence is tried while REPLs run."""
    group = groups.new("three")
    with subprocess.Popen(groups.command(group, ("/bin/sleep", "60"))) as sleeping:
        wait_until(lambda: (group / "cgroup.procs").read_text().split(), "it is in its group")
        Cgroups(top, Limits(), controllers=()).close()
        assert (group / "cgroup.procs").read_text().split() == [str(sleeping.pid)]
        groups.remove(group)
        assert sleeping.wait() < 0
    groups.remove(groups.new("four"))


def test_groups_of_a_worker_that_was_killed_are_removed_by_the_next(top: str) -> None:
    with subprocess.Popen(("/bin/true",)) as gone:
        pass
    left = Path(top, f"leanfleet-repls-{gone.pid}-0")
    (left / "one").mkdir(parents=True)
    Cgroups(top, Limits(), controllers=()).close()
    assert not left.exists()


def test_a_worker_with_the_pid_of_one_that_was_killed_opens_all_the_same(top: str) -> None:
    """In a container it may be 1 each time."""
    left = [Path(top, f"leanfleet-repls-{os.getpid()}-{number}") for number in range(100)]
    for each in left:
        each.mkdir()
    try:
        Cgroups(top, Limits(), controllers=()).close()
    finally:
        for each in left:
            each.rmdir()
