"""What this machine can enforce: a snapshot, taken once a worker."""

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from workers.isolation import landlock, seccomp
from workers.isolation.cgroup import find_cgroup
from workers.privileges import Privileges

# Users for REPLs alone, far above those of people, packages and systemd's dynamic users.
FIRST_USER = 1 << 30
USERS = 1 << 29

_TRIAL_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """Facts about machine and worker. A `…_flaw` is a reason in words for people, empty where there is none."""

    system: str = "linux"
    is_root: bool = False
    user_flaw: str = ""  # why the worker cannot run processes as other users
    bubblewrap: str = ""  # the program's path, when it works
    bubblewrap_flaw: str = ""
    landlock_abi: int = 0
    seccomp_flaw: str = ""
    cgroup: str = ""  # a control group that the worker may divide
    cgroup_flaw: str = ""


def probe() -> Capabilities:
    """Look at this machine. Runs `bwrap` once, for some milliseconds."""
    if sys.platform != "linux":
        return Capabilities(
            system=sys.platform,
            is_root=os.geteuid() == 0,
            user_flaw="only done on Linux",
            bubblewrap_flaw="only on Linux",
            seccomp_flaw="only on Linux",
            cgroup_flaw="only on Linux",
        )
    bubblewrap, flaw = _find_bubblewrap()
    machine = platform.machine()
    group = find_cgroup()
    return Capabilities(
        is_root=os.geteuid() == 0,
        user_flaw=_user_flaw(),
        bubblewrap=bubblewrap,
        bubblewrap_flaw=flaw,
        landlock_abi=landlock.abi_version(),
        cgroup=group.folder,
        cgroup_flaw=group.flaw,
        seccomp_flaw="" if seccomp.is_supported(machine) else f"no filter for this kernel and machine ({machine})",
    )


def _find_bubblewrap() -> tuple[str, str]:
    path = shutil.which("bwrap")
    if path is None:
        return "", "bubblewrap is not installed (Debian: apt-get install bubblewrap)"
    flaw = ""
    # Without a user namespace, too, as for REPLs of root: one that is made in a container, where parts of /proc are
    # covered, may not mount another /proc.
    for namespaces in (("--unshare-all",), ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")):
        trial = (path, *namespaces, "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
        try:
            done = subprocess.run(
                (*trial, "true"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRIAL_SECONDS,
                check=False,
                env={"PATH": os.defpath},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return "", f"bubblewrap does not run here: {error}"
        if done.returncode == 0:
            return path, ""
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        flaw = flaw or f"the kernel or this container does not let bubblewrap make namespaces: {said[-1]}"
    return "", flaw


def _user_flaw() -> str:
    if os.geteuid() != 0:
        return "the worker is not root"
    if lacking := Privileges.of_this_process().lacking("SETUID", "SETGID", "KILL", "CHOWN"):
        return f"the worker lacks {lacking[0]}"
    # In a container with a user namespace only some users exist.
    for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
        first, _, count = map(int, line.split())
        if first <= FIRST_USER and first + count >= FIRST_USER + USERS:
            return ""
    return "this container has too few user ids"
