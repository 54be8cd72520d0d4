"""Control groups (version 2): limits on a REPL with all that it starts, where the worker has a group to divide.

A group is given by systemd's `Delegate=yes`, or is the root of a container's or machine's own tree. Anything else
belongs to somebody who does not expect it to be divided, and is left alone. So is version 1, which has a tree for
each limit.
"""

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from workers.isolation.policy import Limits

CONTROLLERS = ("memory", "pids")
_MOUNTS = Path("/proc/self/mounts")
_MEMBERSHIP = Path("/proc/self/cgroup")
_DELEGATED = ("user.delegate", "trusted.delegate")  # what systemd marks a group with
_EMPTY_SECONDS = 2.0
# Where the worker's own processes go when the group that they were in is divided.
_WORKER = "leanfleet-worker"
_OURS = "leanfleet-repls-"  # then the worker's pid, and a random token

# Enters the group before anything else runs. /bin/sh starts in half a millisecond.
_ENTER = ("/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"')


@dataclass(frozen=True, kw_only=True)
class CgroupFacts:
    """The worker's own group. A flaw is a reason why it cannot be divided."""

    folder: str = ""
    flaw: str = ""


def find_cgroup(mounts: Path = _MOUNTS, membership: Path = _MEMBERSHIP) -> CgroupFacts:
    """Look at the group that this process is in."""
    mounted = [line.split() for line in _lines(mounts)]
    roots = [words[1] for words in mounted if len(words) > 2 and words[2] == "cgroup2"]  # noqa: PLR2004 - the type's place
    paths = [line[len("0::") :] for line in _lines(membership) if line.startswith("0::")]
    if not roots or not paths:
        return CgroupFacts(flaw="no cgroup v2 is mounted")
    path = paths[0].removesuffix(f"/{_WORKER}") or "/"  # it was divided by this process before, or by its parent
    folder = Path(roots[0] + path)
    available = " ".join(_lines(folder / "cgroup.controllers")).split()
    if missing := [name for name in CONTROLLERS if name not in available]:
        return CgroupFacts(flaw=f"cgroup v2 has no {' and '.join(missing)} controller here")
    if not os.access(folder, os.W_OK | os.X_OK) or not os.access(folder / "cgroup.subtree_control", os.W_OK):
        return CgroupFacts(flaw="the worker's cgroup is not its own: set Delegate=yes in its systemd unit")
    if path != "/" and not _is_delegated(folder):
        return CgroupFacts(flaw="the worker's cgroup is not delegated: set Delegate=yes in its systemd unit")
    return CgroupFacts(folder=str(folder))


class Cgroups:
    """A group for each REPL below the worker's own. Blocking, each call well below a millisecond."""

    def __init__(self, folder: str, limits: Limits, *, controllers: tuple[str, ...] = CONTROLLERS) -> None:
        """Divide the group `folder`.

        Raises:
            OSError: it cannot be divided.
        """
        self._limits = limits
        self._controllers = controllers
        top = Path(folder)
        _remove_abandoned(top)
        # Of this object alone: a worker divides its group more than once, and `close` kills what is in there. One that
        # was killed may have had the same pid.
        self._root = top / f"{_OURS}{os.getpid()}-{secrets.token_hex(4)}"
        self._root.mkdir()
        try:
            if controllers:
                self._enable(top)
                self._enable(self._root)
        except OSError:
            _remove(self._root)
            raise

    def _enable(self, group: Path) -> None:
        control = group / "cgroup.subtree_control"
        if set(self._controllers) <= set(" ".join(_lines(control)).split()):
            return
        line = " ".join(f"+{name}" for name in self._controllers)
        try:
            control.write_text(line)
        except OSError:
            # A group that is divided may hold no process itself, unless it is the root.
            inner = group / _WORKER
            inner.mkdir(exist_ok=True)
            for pid in _lines(group / "cgroup.procs"):
                with contextlib.suppress(ProcessLookupError):
                    (inner / "cgroup.procs").write_text(pid)
            control.write_text(line)

    def new(self, name: str) -> Path:
        """A group with its limits set. Raises OSError."""
        group = self._root / name
        group.mkdir()
        try:
            self._limit(group)
        except OSError:
            _remove(group)
            raise
        return group

    def _limit(self, group: Path) -> None:
        if "memory" in self._controllers and self._limits.memory_bytes:
            (group / "memory.max").write_text(str(self._limits.memory_bytes))
            (group / "memory.oom.group").write_text("1")
            with contextlib.suppress(OSError):  # a kernel without swap has no such file
                (group / "memory.swap.max").write_text("0")
        if "pids" in self._controllers and self._limits.processes:
            (group / "pids.max").write_text(str(self._limits.processes))

    def command(self, group: Path, command: tuple[str, ...]) -> tuple[str, ...]:
        """The command line that enters `group` and becomes `command`."""
        return (*_ENTER, str(group / "cgroup.procs"), *command)

    def remove(self, group: Path) -> None:
        """Kill whatever is left in a group, and remove it."""
        _remove(group)

    def close(self) -> None:
        """Remove all of them, whatever is left in them."""
        with contextlib.suppress(FileNotFoundError):  # somebody else cleaned up
            for group in self._root.iterdir():
                if group.is_dir():
                    _remove(group)
        _remove(self._root)


def _remove(group: Path) -> None:
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + _EMPTY_SECONDS
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # what was killed has not been reaped yet
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)
        else:
            return


def _remove_abandoned(top: Path) -> None:
    """Groups of workers that were killed: their REPLs died with them, and nobody else removes what is empty."""
    for root in top.glob(f"{_OURS}*"):
        pid = root.name.removeprefix(_OURS).partition("-")[0]
        if not Path("/proc", pid).exists():
            for folder in (*root.glob("*/"), root):
                with contextlib.suppress(OSError):  # not empty after all
                    folder.rmdir()


def _is_delegated(folder: Path) -> bool:
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
