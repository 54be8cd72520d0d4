"""Whether the worker's control group may be divided, read from files as the kernel shows them."""

import os
from pathlib import Path

import pytest

from workers.isolation.cgroup import Cgroups, find_cgroup
from workers.isolation.policy import Limits

LIMITS = Limits(memory_bytes=1 << 30, processes=64)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of control groups in plain files, and a process in its root."""
    top = tmp_path / "cgroup"
    top.mkdir()
    (top / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (top / "cgroup.subtree_control").write_text("")
    (top / "cgroup.procs").write_text("")
    return top


def mounts(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mounts"
    path.write_text(text)
    return path


def membership(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "membership"
    path.write_text(text)
    return path


def found(tmp_path: Path, tree: Path, group: str = "0::/\n") -> tuple[str, str]:
    facts = find_cgroup(mounts(tmp_path, f"cgroup2 {tree} cgroup2 rw 0 0\n"), membership(tmp_path, group))
    return facts.folder, facts.flaw


def test_the_root_of_a_tree_may_be_divided(tmp_path: Path, tree: Path) -> None:
    assert found(tmp_path, tree) == (str(tree), "")


def test_a_group_that_nobody_delegated_is_left_alone(tmp_path: Path, tree: Path) -> None:
    inner = tree / "session"
    inner.mkdir()
    (inner / "cgroup.controllers").write_text("memory pids\n")
    (inner / "cgroup.subtree_control").write_text("")
    folder, flaw = found(tmp_path, tree, "1:name=systemd:/x\n0::/session\n")
    assert folder == ""
    assert "Delegate=yes" in flaw


def test_a_delegated_group_may_be_divided(tmp_path: Path, tree: Path) -> None:
    inner = tree / "service"
    inner.mkdir()
    (inner / "cgroup.controllers").write_text("memory pids\n")
    (inner / "cgroup.subtree_control").write_text("")
    try:
        os.setxattr(inner, "user.delegate", b"1")
    except OSError as error:
        pytest.skip(f"this file system has no extended attributes: {error}")
    assert found(tmp_path, tree, "0::/service\n") == (str(inner), "")


def test_a_group_that_this_worker_has_divided_before_may_be_divided_again(tmp_path: Path, tree: Path) -> None:
    """It was moved out of the way by then."""
    assert found(tmp_path, tree, "0::/leanfleet-worker\n") == (str(tree), "")


def test_missing_controllers_are_named(tmp_path: Path, tree: Path) -> None:
    (tree / "cgroup.controllers").write_text("cpu pids\n")
    assert found(tmp_path, tree) == ("", "cgroup v2 has no memory controller here")


def test_version_1_alone_is_not_used(tmp_path: Path, tree: Path) -> None:
    facts = find_cgroup(mounts(tmp_path, f"cgroup {tree} cgroup rw,memory 0 0\n"), membership(tmp_path, "4:memory:/\n"))
    assert facts.flaw == "no cgroup v2 is mounted"


def test_a_new_group_has_the_limits(tree: Path) -> None:
    groups = Cgroups(str(tree), LIMITS)
    (root,) = tree.glob("leanfleet-*")
    assert (tree / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (root / "cgroup.subtree_control").read_text() == "+memory +pids"
    group = groups.new("one")
    assert (group / "memory.max").read_text() == str(1 << 30)
    assert (group / "pids.max").read_text() == "64"
    assert groups.command(group, ("repl",))[-2:] == (str(group / "cgroup.procs"), "repl")
