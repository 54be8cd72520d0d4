"""What is enforced by which means, and what cannot be: decided once a worker, from facts, without any I/O."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from producer.errors import UnsupportedPlatformError
from workers.isolation import bubblewrap
from workers.isolation import landlock as landlock_abi
from workers.isolation.capabilities import Capabilities
from workers.isolation.policy import Policy
from workers.launch import Launch

_LAUNCHER = Path(__file__).with_name("__main__.py")

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_PROC = "/proc"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One promise, and how it is kept: `means` in words for people; none of them means a `flaw`, the reason.

    `essential` ones are what `isolation = "required"` asks for.
    """

    name: str
    means: tuple[str, ...] = ()
    flaw: str = ""
    essential: bool = False

    @property
    def holds(self) -> bool:
        return bool(self.means)


@dataclass(frozen=True, kw_only=True)
class Fence:
    """A plan that can be carried out for any number of REPLs."""

    guards: tuple[Guard, ...]
    policy: Policy
    bubblewrap: str = ""  # the program's path; empty: no namespaces
    landlock: bool = False
    seccomp: bool = False
    changes_user: bool = False
    cgroup: str = ""  # the group to divide; empty: limits are per process
    restricts: bool = True  # False: nothing but the environment and the descriptors

    @property
    def flaws(self) -> tuple[Guard, ...]:
        """The promises that are not kept on this machine."""
        return tuple(guard for guard in self.guards if not guard.holds)

    def require(self) -> None:
        """Raise when an essential promise is not kept.

        Raises:
            UnsupportedPlatformError: with every reason, and what to do.
        """
        if missing := [f"{guard.name}: {guard.flaw}" for guard in self.flaws if guard.essential]:
            raise UnsupportedPlatformError(
                "this worker cannot isolate its REPLs, and LEANFLEET_WORKER_ISOLATION is 'required'. Not kept are "
                + "; ".join(missing)
                + ". Install bubblewrap or use a kernel with Landlock; 'auto' starts all the same"
            )

    def around(self, launch: Launch, *, folder: Path, user: int, tasks: int, python: str = sys.executable) -> Launch:
        """The same launch inside of the fence.

        Args:
            launch: the REPL's own; it runs in its directory, or in its private folder if that is none or out of reach.
            folder: its private folder, which exists and belongs to it.
            user: the user it becomes, where the fence says so.
            tasks: processes and threads on this machine now: where the limit is shared with the worker's other
                processes, it is counted from there.
            python: an interpreter for the launcher.
        """
        fenced = replace(launch, folder=folder, folder_limit_bytes=self.policy.limits.folder_bytes)
        if not self.restricts:
            return fenced
        words = self._restrictions(folder=folder, user=user, tasks=tasks)
        directory = launch.directory or folder
        program = launch.command[0]
        if not any(directory.is_relative_to(root) for root in self.policy.readable):
            program = str(directory / program) if "/" in program else program
            directory = folder
        words.append(f"directory={directory}")
        command = (program, *launch.command[1:])
        if not self.bubblewrap:
            return replace(fenced, command=command, restrictions=tuple(words))
        outer = bubblewrap.arguments(self.bubblewrap, self.policy, folder=folder, changes_user=self.changes_user)
        return replace(
            fenced,
            command=(*outer, python, "-I", "-S", str(_LAUNCHER), *words, "--", *command),
            # bubblewrap dies with the worker, and its pid namespace with it. What it cannot do is RLIMIT_DATA.
            needs_launcher=launch.data_limit_bytes > 0,
        )

    def around_thawing(self, launch: Launch, *, folder: Path, was: Path, readable: Iterable[Path]) -> Launch:
        """A command that restores a process frozen behind a fence of `freezable`, in namespaces and mounts of its own.

        The command keeps all capabilities for that: it must be trusted, and what it restores has none.

        Args:
            launch: the restoring command's own.
            folder: the private folder of what it restores, which exists and belongs to its user.
            was: where that process had its own.
            readable: what the command needs besides.
        """
        needed = tuple(readable)
        more = ["--bind", str(folder), str(was), "--cap-add", "ALL"]
        for path in needed:
            more += ["--ro-bind", str(path), str(path)]
        outer = bubblewrap.arguments(
            self.bubblewrap, self.policy, folder=folder, changes_user=True, more=more, above=(was, *needed)
        )
        return replace(
            launch,
            command=(*outer, *launch.command),
            folder=folder,
            folder_limit_bytes=self.policy.limits.folder_bytes,
            directory=None,
            restrictions=(),
            needs_launcher=True,
        )

    def _restrictions(self, *, folder: Path, user: int, tasks: int) -> list[str]:
        limits = self.policy.limits
        # bubblewrap's own two processes count in its user namespace.
        counted_alone = self.changes_user or self.bubblewrap
        processes = limits.processes + 2 if counted_alone else limits.processes + tasks
        words = [f"nice={limits.nice}"] if limits.nice else []
        words += [
            f"{name}={value}"
            for name, value in (
                ("processes", processes if limits.processes else 0),
                ("data", limits.data_bytes),
                ("address-space", limits.address_bytes),
                ("file-size", limits.file_bytes),
                ("open-files", limits.open_files),
                ("cpu", limits.cpu_seconds),
            )
            if value
        ]
        if self.changes_user:
            words.append(f"user={user}")
        if self.landlock:
            words.append("landlock=freezable" if self.policy.freezable else "landlock=whole")
            words += [f"read={path}" for path in (*self.policy.exposed, _PROC)]
            words += [f"list={path}" for path in self.policy.listable]
            words.append(f"write={folder}")
            if self.bubblewrap:
                words.append("write=/tmp")
            words += [f"device={path}" for path in _DEVICES]
        if self.seccomp:
            words.append("seccomp=alone" if self.bubblewrap else "seccomp=among-others")
        return words


def no_fence(policy: Policy) -> Fence:
    """Isolation switched off by the operator: only what costs and hinders nothing."""
    off = "it is switched off by LEANFLEET_WORKER_ISOLATION"
    guards = [
        guard if guard.name in ("environment", "descriptors", "orphans") else Guard(name=guard.name, flaw=off)
        for guard in plan(Capabilities(), policy).guards
    ]
    return Fence(guards=tuple(guards), policy=policy, restricts=False)


def plan(capabilities: Capabilities, policy: Policy) -> Fence:
    """What will be enforced here: every means that this machine has and that the policy allows.

    Means overlap on purpose: a hole in one is covered by the next.
    """
    if capabilities.system != "linux":
        return _plan_elsewhere(capabilities, policy)
    bwrap = "" if policy.freezable else capabilities.bubblewrap
    no_bwrap = "freezing needs the worker's own namespaces" if policy.freezable else capabilities.bubblewrap_flaw
    landlock = capabilities.landlock_abi > 0
    seccomp = not capabilities.seccomp_flaw
    user_flaw = capabilities.user_flaw or _unreadable(policy, in_namespace=bool(bwrap))
    changes_user = not user_flaw
    # A process in another group than CRIU's is dumped with its group, which must then be made again.
    cgroup = "" if policy.freezable else capabilities.cgroup
    no_landlock = "this kernel or container has no Landlock (Linux 5.13)"

    def guard(name: str, *means: tuple[object, str], flaw: str, essential: bool = False) -> Guard:
        kept = tuple(text for usable, text in means if usable)
        return Guard(name=name, means=kept, flaw="" if kept else flaw, essential=essential)

    without_both = f"{no_bwrap}; {no_landlock}"
    filter_text = "no system call that"
    guards = (
        Guard(name="environment", means=("only named variables are passed on",), essential=True),
        Guard(name="descriptors", means=("all but the three pipes are closed",), essential=True),
        guard(
            "network",
            (bwrap, "an empty network namespace"),
            (seccomp, f"{filter_text} makes a socket"),
            flaw=f"{no_bwrap}; {capabilities.seccomp_flaw}",
            essential=True,
        ),
        guard(
            "read-only files",
            (bwrap, "mounted read-only but for its private folder"),
            (landlock, "Landlock: writes to its private folder alone"),
            flaw=without_both,
            essential=True,
        ),
        guard(
            "private files",
            (bwrap, "only the project, Lean and the system's libraries are mounted"),
            (landlock, "Landlock: reads of the project, Lean and the system's libraries alone"),
            flaw=without_both,
            essential=True,
        ),
        guard(
            "other processes",
            (bwrap, "a pid namespace"),
            (
                landlock and capabilities.landlock_abi >= landlock_abi.SCOPES_ABI,
                "Landlock: no signals out, no look into others",
            ),
            (landlock and seccomp, "Landlock: no look into others; no system call that signals them"),
            (changes_user and seccomp, "a user of its own"),
            flaw=f"{without_both}; {user_flaw}",
            essential=True,
        ),
        guard(
            "unprivileged user",
            (changes_user, "a user id of its own, which nothing else has"),
            (not capabilities.is_root, "the worker's own, which is not root"),
            flaw=f"the REPL runs as root without capabilities: {user_flaw}",
        ),
        Guard(name="no new privileges", means=("no-new-privileges, no capabilities",), essential=True),
        guard(
            "memory",
            (policy.limits.memory_bytes and cgroup, "a control group, for all of its processes together"),
            (policy.limits.memory_bytes, "RLIMIT_DATA and RLIMIT_AS; the pool watches"),
            flaw="no limit set",
        ),
        guard(
            "processes",
            (policy.limits.processes and cgroup, "a control group"),
            (policy.limits.processes and changes_user, "RLIMIT_NPROC, counted for its own user"),
            (policy.limits.processes and bwrap and not capabilities.is_root, "RLIMIT_NPROC, counted in its namespace"),
            (
                policy.limits.processes and not capabilities.is_root and not bwrap and not changes_user,
                "RLIMIT_NPROC, shared with the worker's other processes",
            ),
            flaw=f"RLIMIT_NPROC binds no root; {capabilities.cgroup_flaw}" if capabilities.is_root else "no limit set",
        ),
        guard(
            "file size", (policy.limits.file_bytes, "RLIMIT_FSIZE; the private folder is watched"), flaw="no limit set"
        ),
        guard(
            "processor", (policy.limits.cpu_seconds, "RLIMIT_CPU; lower priority than the worker"), flaw="no limit set"
        ),
        guard(
            "orphans",
            (True, "dies with the worker; the whole group is killed"),
            (bwrap, "the pid namespace ends with its first process"),
            (seccomp, "no new session or group can be made"),
            flaw="",
            essential=True,
        ),
    )
    return Fence(
        guards=guards,
        policy=policy,
        bubblewrap=bwrap,
        landlock=landlock,
        seccomp=seccomp,
        changes_user=changes_user,
        cgroup=cgroup,
    )


def _unreadable(policy: Policy, *, in_namespace: bool) -> str:
    """Why another user could not run what the policy lets it read; empty where it can."""
    closed = policy.closed_to_others if in_namespace else (*policy.closed_to_others, *policy.beneath_closed)
    return f"{closed[0]} is closed to other users" if closed else ""


def _plan_elsewhere(capabilities: Capabilities, policy: Policy) -> Fence:
    """Without Linux's means: the environment, the descriptors and POSIX's limits."""
    flaw = f"not enforced on {capabilities.system}"
    linux = plan(Capabilities(is_root=capabilities.is_root, user_flaw=flaw), policy)
    portable = ("environment", "descriptors", "file size", "processor", "orphans")
    return Fence(
        guards=tuple(
            guard if guard.name in portable else Guard(name=guard.name, flaw=flaw, essential=guard.essential)
            for guard in linux.guards
        ),
        policy=policy,
    )
