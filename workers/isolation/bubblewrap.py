"""The command line of `bwrap`: namespaces and a file system of its own for one REPL."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from workers.isolation.policy import Policy

# What the launcher inside needs for becoming another user, and gives up then.
_TO_CHANGE_USER = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


def arguments(
    program: str,
    policy: Policy,
    *,
    folder: Path,
    changes_user: bool,
    more: Sequence[str] = (),
    above: Iterable[Path] = (),
) -> tuple[str, ...]:
    """Everything before the command.

    No session of its own: the whole group is killed by its number from outside. The root and /dev become read-only at
    the end, since they are memory file systems without a limit of size.

    Args:
        program: the path of `bwrap`.
        policy: what is bound.
        folder: the REPL's private folder, the only one that it shares with the worker and may write to.
        changes_user: whether the launcher inside becomes another user.
        more: further options, after the mounts of the policy and before all becomes read-only.
        above: paths that `more` mounts, whose parents must exist.
    """
    line = [
        program,
        "--unshare-user-try" if not changes_user else "",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
    ]
    line += ["--unshare-uts", "--unshare-cgroup-try", "--hostname", "repl", "--die-with-parent", "--cap-drop", "ALL"]
    if changes_user:
        for name in _TO_CHANGE_USER:
            line += ["--cap-add", name]
    line += ["--size", str(policy.limits.temporary_bytes), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - its own
    line += ["--dev", "/dev", "--proc", "/proc"]
    for parent in _parents((*policy.readable, folder, *above)):
        # Explicitly: else each has the mode of the folder outside, which another user may not pass.
        line += ["--perms", "0755", "--dir", str(parent)]
    for path in policy.readable:
        line += ["--ro-bind-try", str(path), str(path)]
    for path in policy.hidden_files:
        line += ["--ro-bind", "/dev/null", str(path)]
    for path in policy.hidden_folders:
        line += ["--perms", "0755", "--size", "4096", "--tmpfs", str(path), "--remount-ro", str(path)]
    line += ["--bind", str(folder), str(folder), *more, "--remount-ro", "/dev", "--remount-ro", "/"]
    line += ["--chdir", "/", "--"]
    return tuple(word for word in line if word)


def _parents(paths: Iterable[Path]) -> list[Path]:
    """Every folder above, outer ones first; without the root and without the private /tmp, which exist."""
    above = {parent for path in paths for parent in path.parents}
    return sorted(above - {Path("/"), Path("/tmp")}, key=lambda path: (len(path.parts), path))  # noqa: S108 - as above
