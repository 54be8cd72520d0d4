"""The CRIU of this machine: whether it is there, whether it can be used, and how it is called.

From 4.1.1 on: older ones cannot dump on kernels from 6.13 on, and the REPLs' own tests ran with these.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workers.images import rights
from workers.images.errors import ImagesUnavailableError
from workers.privileges import Privileges

OLDEST = (4, 1, 1)
_ADVICE = "install CRIU 4.1.1 or newer (Debian 13: apt-get install criu)"
_CHECK_SECONDS = 20.0
# What CRIU has found out about the kernel, which it keeps where that is in memory.
_KNOWN = Path("/run/criu.kdat")

# Lean's libuv would set up io_uring, which cannot be dumped.
ENVIRONMENT = {"UV_USE_IO_URING": "0"}


@dataclass(frozen=True, kw_only=True)
class Criu:
    """A program that works here, and its helpers from util-linux."""

    program: str
    version: str
    unshare: str
    nsenter: str
    setpriv: str = ""  # empty: it reads any user's limits as it is
    users_flaw: str = ""  # why processes of other users cannot be dumped; empty when they can

    def dump(self, pid: int, folder: Path, log: Path, *, owner: int = 0) -> tuple[str, ...]:
        """The command that dumps process `pid` (as CRIU's own namespaces call it) of user `owner`, and lets it go on.

        A process's limits are shown to its own real user and to CAP_SYS_RESOURCE: who lacks that borrows the user.
        """
        borrowed = (f"--ruid={owner}", f"--rgid={owner}", "--clear-groups", "--") if owner and self.setpriv else ()
        return (
            *((self.setpriv, *borrowed) if borrowed else ()),
            *(self.program, "dump", "--tree", str(pid), "--images-dir", str(folder)),
            *("--leave-running", "--manage-cgroups=ignore", "-v1", "--log-file", str(log)),
        )

    def restore_here(self, folder: Path, pipes: Iterable[str], log: Path) -> tuple[str, ...]:
        """The command that restores `folder` in namespaces that are new already; see `restore`.

        CRIU writes statistics to its work folder when the copy has long answered: in the copy's own folder, or in an
        image's that is being deleted, they would stay. /proc takes no files, and CRIU goes without.
        """
        inherited = [word for place, pipe in enumerate(pipes) for word in ("--inherit-fd", f"fd[{place}]:{pipe}")]
        return (
            *(self.program, "restore", "--images-dir", str(folder), *inherited, "--work-dir", "/proc"),
            *("--manage-cgroups=ignore", "-v1", "--log-file", str(log)),
        )

    def dump_inside(self, pid: int, number: int, folder: Path, log: Path) -> tuple[str, ...]:
        """`dump` for a process that was thawed: `pid` in its worker's namespace, `number` in its own."""
        return (self.nsenter, "--target", str(pid), "--pid", "--mount", "--", *self.dump(number, folder, log))

    def restore(self, folder: Path, pipes: Iterable[str], log: Path) -> tuple[str, ...]:
        """The command that becomes the first process of new pid and mount namespaces and restores `folder` in them.

        Args:
            folder: what CRIU wrote.
            pipes: what the dumped process's standard streams were called; the command's own take their places.
            log: a path that is its own.
        """
        unshare = (self.unshare, "--pid", "--fork", "--mount-proc", "--kill-child", "--")
        return (*unshare, *self.restore_here(folder, pipes, log))


def find_criu(search: str | None = None) -> Criu:
    """The CRIU on the PATH (or on `search`). Runs it twice, for some ten milliseconds.

    Raises:
        ImagesUnavailableError: it is missing, too old, or this kernel or container does not let it work.
    """
    program = shutil.which("criu", path=search)
    if program is None:
        raise ImagesUnavailableError(f"there is no criu on the PATH: {_ADVICE}")
    if os.geteuid() != 0:
        raise ImagesUnavailableError("the worker is not root, and CRIU needs it to be")
    worker = Privileges.of_this_process()
    if missing := rights.missing(worker):
        raise ImagesUnavailableError(missing)
    names = ("unshare", "nsenter", "setpriv")
    helpers = {name: shutil.which(name, path=search) or shutil.which(name) or "" for name in names}
    if lacking := [name for name, path in helpers.items() if not path]:
        raise ImagesUnavailableError(f"util-linux's {lacking[0]} is not installed")
    said = _run((program, "--version"))
    match = re.search(r"Version:\s*((\d+)\.(\d+)(?:\.(\d+))?)", said.stdout)
    if match is None or tuple(int(part or 0) for part in match.groups()[1:]) < OLDEST:
        found = match[1] if match else said.stdout.strip() or said.stderr.strip() or "something else"
        raise ImagesUnavailableError(f"{program} is {found}, which is too old: {_ADVICE}")
    # Where copies are thawed: in a container /proc/sys is read-only, but not that of a new namespace.
    checked = _run((helpers["unshare"], "--pid", "--fork", "--mount-proc", "--kill-child", "--", program, "check"))
    if checked.returncode != 0:
        lines = checked.stderr.strip().splitlines() or ["it does not say why"]
        why = next((line for line in reversed(lines) if line.startswith("Error")), lines[-1])
        raise ImagesUnavailableError(f"criu does not work in this container or on this kernel: {why}")
    return Criu(
        program=program,
        version=match[1],
        unshare=helpers["unshare"],
        nsenter=helpers["nsenter"],
        setpriv="" if rights.reads_limits(worker) else helpers["setpriv"],
        users_flaw=rights.users_flaw(worker, knows_kernel=_KNOWN.exists()),
    )


def _run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImagesUnavailableError(f"{command[0]} cannot be run: {error}") from error
