"""What is planned from which facts, and what is said about the rest."""

from dataclasses import replace
from pathlib import Path

import pytest

from producer.errors import UnsupportedPlatformError
from workers.isolation.capabilities import Capabilities
from workers.isolation.fence import Fence, no_fence, plan
from workers.isolation.opening import weaker
from workers.isolation.policy import Limits, Policy
from workers.launch import Launch

USR, PYTHON, PROJECT = Path("/usr"), Path("/root/python"), Path("/srv/project")
FOLDER = Path("/tmp/private")  # noqa: S108 - a name only: nothing is written there
POLICY = Policy(readable=(USR, PYTHON, PROJECT), exposed=(USR, PYTHON, PROJECT), limits=Limits(memory_bytes=1024**3))

EVERYTHING = Capabilities(is_root=True, bubblewrap="/usr/bin/bwrap", landlock_abi=7)
NOT_ROOT = replace(EVERYTHING, is_root=False, user_flaw="the worker is not root")
IN_A_CONTAINER = replace(NOT_ROOT, bubblewrap="", bubblewrap_flaw="no namespaces")
NOTHING = replace(IN_A_CONTAINER, landlock_abi=0, seccomp_flaw="no filter")

ESSENTIAL = {"network", "read-only files", "private files", "other processes"}


def around(fence: Fence, directory: Path | None = None) -> Launch:
    plain = Launch(command=("repl", "-x"), directory=directory)
    return fence.around(plain, folder=FOLDER, user=4242, tasks=100, python="/python")


def command(fence: Fence, directory: Path | None = None) -> tuple[str, ...]:
    """All words that say what is enforced, and the command."""
    launch = around(fence, directory)
    return (*launch.restrictions, *launch.command)


def flaws(fence: Fence) -> set[str]:
    return {guard.name for guard in fence.flaws}


@pytest.mark.parametrize("capabilities", [EVERYTHING, NOT_ROOT, IN_A_CONTAINER], ids=["root", "user", "container"])
def test_every_essential_promise_is_kept_by_several_sets_of_means(capabilities: Capabilities) -> None:
    fence = plan(capabilities, POLICY)
    fence.require()
    assert flaws(fence) == set()


def test_what_is_missing_is_named_with_its_reason() -> None:
    fence = plan(NOTHING, POLICY)
    assert flaws(fence) == ESSENTIAL
    with pytest.raises(UnsupportedPlatformError, match=r"network: no namespaces; no filter.*Install bubblewrap"):
        fence.require()


def test_the_limits_are_no_reason_to_refuse() -> None:
    fence = plan(replace(IN_A_CONTAINER, is_root=True, user_flaw="the worker lacks CAP_SETUID"), POLICY)
    assert flaws(fence) == {"processes", "unprivileged user"}
    fence.require()


def test_nothing_but_the_command_is_left_when_isolation_is_off() -> None:
    fence = no_fence(POLICY)
    assert command(fence) == ("repl", "-x")
    assert flaws(fence) >= ESSENTIAL


def test_elsewhere_than_on_linux_the_portable_means_are_left() -> None:
    fence = plan(Capabilities(system="darwin", user_flaw="only done on Linux"), POLICY)
    assert flaws(fence) >= ESSENTIAL
    assert not any(word.startswith("landlock") for word in command(fence))
    assert f"file-size={POLICY.limits.file_bytes}" in command(fence)


def test_a_process_that_can_be_frozen_stays_in_its_workers_namespaces() -> None:
    fence = plan(EVERYTHING, replace(POLICY, freezable=True))
    assert fence.bubblewrap == ""
    assert flaws(fence) == set()
    assert around(fence).needs_launcher


def test_another_user_is_taken_only_where_it_can_read_what_it_needs() -> None:
    beneath = replace(POLICY, beneath_closed=(PYTHON,))
    assert plan(EVERYTHING, beneath).changes_user, "bubblewrap mounts it at a place that can be reached"
    without = plan(replace(EVERYTHING, bubblewrap="", bubblewrap_flaw="none"), beneath)
    assert not without.changes_user
    assert "/root/python is closed to other users" in str(without.flaws)
    assert not plan(EVERYTHING, replace(POLICY, closed_to_others=(PYTHON,))).changes_user


def test_the_limit_on_processes_is_its_own_or_above_all_that_there_are() -> None:
    assert "processes=258" in command(plan(EVERYTHING, POLICY))
    assert "processes=258" in command(plan(NOT_ROOT, POLICY))
    assert "processes=356" in command(plan(IN_A_CONTAINER, POLICY))


def test_what_is_hidden_is_covered_and_never_exposed() -> None:
    policy = replace(
        POLICY,
        hidden_files=(PROJECT / "leanfleet.toml",),
        hidden_folders=(PROJECT / ".git",),
        exposed=(USR, PYTHON, PROJECT / "Main.lean"),
    )
    words = command(plan(NOT_ROOT, policy), PROJECT)
    text = " ".join(words)
    assert f"--ro-bind /dev/null {PROJECT / 'leanfleet.toml'}" in text
    assert f"--tmpfs {PROJECT / '.git'}" in text
    assert f"read={PROJECT}" not in words
    assert f"read={PROJECT / 'Main.lean'}" in words
    assert f"directory={PROJECT}" in words


def test_a_directory_out_of_reach_is_replaced_by_the_private_folder() -> None:
    fence = plan(IN_A_CONTAINER, POLICY)
    started_at_home = Launch(command=("bin/repl", "-x"), directory=Path("/home/me"))
    launch = fence.around(started_at_home, folder=FOLDER, user=4242, tasks=100)
    assert f"directory={FOLDER}" in launch.restrictions
    assert launch.command == ("/home/me/bin/repl", "-x")
    assert f"directory={PROJECT}" in command(fence, PROJECT)


def test_the_private_folder_is_the_only_one_that_is_bound_writable() -> None:
    words = command(plan(EVERYTHING, POLICY))
    writable = [words[at + 1] for at, word in enumerate(words) if word == "--bind"]
    assert writable == [str(FOLDER)]
    assert "--new-session" not in words, "it would leave the group that is killed"
    assert "--die-with-parent" in words


def test_a_launcher_is_needed_where_nothing_else_ends_what_was_started() -> None:
    assert not around(plan(EVERYTHING, POLICY)).needs_launcher
    assert around(plan(IN_A_CONTAINER, POLICY)).needs_launcher
    limited = Launch(command=("repl",), data_limit_bytes=1024)
    fenced = plan(EVERYTHING, POLICY).around(limited, folder=FOLDER, user=4242, tasks=100)
    assert fenced.needs_launcher, "it alone sets that limit"


def test_a_fence_that_fails_is_tried_weaker_until_nothing_is_left() -> None:
    tried = [EVERYTHING]
    while (next_one := weaker(tried[-1], "refused")) is not None:
        tried.append(next_one)
    assert [bool(each.bubblewrap) for each in tried] == [True, False, False, False, False]
    assert not tried[-1].landlock_abi
    assert "refused" in tried[-1].seccomp_flaw
    assert flaws(plan(tried[-1], POLICY)) >= ESSENTIAL
