"""Isolation in use: a private folder for each REPL, the fenced command line, and the cleaning up afterwards."""

import contextlib
import itertools
import os
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from workers.isolation.capabilities import FIRST_USER, USERS
from workers.isolation.cgroup import Cgroups
from workers.isolation.environment import at_home, passed_on
from workers.isolation.fence import Fence
from workers.launch import Launch
from workers.scratch import ScratchFolder, remove_tree

_PER_WORKER = 256
# What a file counts at least: looking at a million empty ones would stop the worker.
_LEAST_BYTES = 64 * 1024
_PREFIX = "leanfleet-repls-"


class Enclosures:
    """An `Isolation`: encloses the processes of one worker, each with a folder and, where possible, a user of its own.

    The folders lie in one that `close` removes; after a worker that was killed, the next one that starts does.
    """

    def __init__(
        self,
        fence: Fence,
        *,
        environ: Mapping[str, str] | None = None,
        variables: Collection[str] = (),
        parent: Path | None = None,
    ) -> None:
        """Make the folder for the folders.

        Args:
            fence: the plan.
            environ: the worker's environment; None: this process's.
            variables: names of what is passed on of it besides the usual.
            parent: where the folder is made; None: the system's folder for temporary files.

        Raises:
            SettingsError: `variables` names one that may hold the fleet's credentials.
            OSError: the folder cannot be made, or the control group not divided.
        """
        self.fence = fence
        self._environment = passed_on(os.environ if environ is None else environ, variables)
        self._scratch = ScratchFolder(_PREFIX, parent=parent)
        try:
            self._cgroups = Cgroups(fence.cgroup, fence.policy.limits) if fence.cgroup else None
        except OSError:
            self._scratch.close()
            raise
        self._root = self._scratch.path
        self._root.chmod(0o711)  # a REPL's own user must pass through, and see no other's folder
        self._users = itertools.cycle(range(_PER_WORKER))

    def __repr__(self) -> str:
        missing = ", ".join(guard.name for guard in self.fence.flaws) or "nothing"
        return f"<{type(self).__name__} in {self._root}; not enforced: {missing}>"

    @contextlib.contextmanager
    def __call__(self, launch: Launch) -> Iterator[Launch]:
        """The same launch inside of the fence. When the context ends, all that the process has written is deleted.

        Raises:
            OSError: there is no room for its folder.
        """
        with contextlib.ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(dir=self._root))
            stack.callback(remove_tree, folder)
            user = FIRST_USER + (os.getpid() * _PER_WORKER + next(self._users)) % USERS
            if self.fence.changes_user:
                os.chown(folder, user, user)
            fenced = self.fence.around(launch, folder=folder, user=user, tasks=_tasks())
            if self._cgroups is not None:
                group = self._cgroups.new(folder.name)
                stack.callback(self._cgroups.remove, group)
                fenced = replace(fenced, command=self._cgroups.command(group, fenced.command))
            yield replace(fenced, environment=at_home({**self._environment, **passed_on(launch.environment)}, folder))

    @contextlib.contextmanager
    def thawing(self, launch: Launch, *, was: Path, owner: int, readable: Iterable[Path]) -> Iterator[Launch]:
        """A command that restores a process whose private folder was `was`, as `__call__` does it for one that starts.

        `owner` is the process's user, who gets the new folder.

        Raises:
            OSError: there is no room for its folder.
        """
        with contextlib.ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(dir=self._root))
            stack.callback(remove_tree, folder)
            os.chown(folder, owner, owner)
            fenced = self.fence.around_thawing(launch, folder=folder, was=was, readable=readable)
            if self._cgroups is not None:
                group = self._cgroups.new(folder.name)
                stack.callback(self._cgroups.remove, group)
                fenced = replace(fenced, command=self._cgroups.command(group, fenced.command))
            yield replace(fenced, environment=self._environment)

    def close(self) -> None:
        """Delete the folder of folders. Blocks."""
        try:
            if self._cgroups is not None:
                self._cgroups.close()
        finally:
            self._scratch.close()


def folder_bytes(folder: Path, *, enough: int = sys.maxsize) -> int:
    """What a private folder holds on disk, in bytes, each file 64 KiB at least. Counting ends above `enough`.

    Bounded in depth: a REPL has no use for deep folders.
    """
    total = 0
    for size in _sizes(folder, depth=8):
        total += size
        if total > enough:
            break
    return total


def _sizes(folder: Path, *, depth: int) -> Iterator[int]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                yield max(_LEAST_BYTES, entry.stat(follow_symlinks=False).st_blocks * 512)
                if depth and entry.is_dir(follow_symlinks=False):
                    yield from _sizes(Path(entry.path), depth=depth - 1)


def _tasks() -> int:
    """Processes and threads on this machine: a bound for those of any user."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[2])
    return 4096
