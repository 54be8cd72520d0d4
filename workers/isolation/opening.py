"""From settings to a fence that works on this machine: planned, tried once, and made weaker until it does.

A kernel or a container can refuse in more ways than can be probed one by one, so the plan is tried with a program that
does nothing. In `auto` a worker must come up on every machine, and say what it could not enforce.
"""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from producer.errors import SettingsError, UnsupportedPlatformError
from workers.isolation.capabilities import Capabilities, probe
from workers.isolation.enclosure import Enclosures
from workers.isolation.fence import Fence, no_fence, plan
from workers.isolation.paths import policy_for
from workers.isolation.policy import Limits, Policy
from workers.launch import Isolation, Launch, no_isolation
from workers.project import LeanProject
from workers.settings import WorkerSettings

_TRIAL_SECONDS = 30.0
# Whether the REPL's program can be run, as far as that is known without running it.
_TRIAL = "import os, sys; sys.exit(not os.access(sys.argv[1], os.R_OK | os.X_OK) and 'it cannot read ' + sys.argv[1])"

log = logging.getLogger("leanfleet.isolation")


def open_fence(settings: WorkerSettings, project: LeanProject, *, environ: Mapping[str, str] | None = None) -> Fence:
    """What will be enforced for the REPLs of `project` on this machine. Blocks for some ten milliseconds.

    Raises:
        SettingsError: a path or a variable that the settings name cannot be used.
        UnsupportedPlatformError: isolation is required and cannot be had.
    """
    policy = _policy(settings, project, os.environ if environ is None else environ)
    if settings.isolation == "off":
        return no_fence(policy)
    fence = _strongest(probe(), policy, project)
    if settings.isolation == "required":
        fence.require()
    return fence


@contextmanager
def open_isolation(settings: WorkerSettings, project: LeanProject) -> Iterator[Isolation]:
    """What a pool is given, and its fence is logged. Raises as `open_fence` does."""
    with enclosing(open_fence(settings, project), settings) as isolation:
        yield isolation


@contextmanager
def enclosing(fence: Fence, settings: WorkerSettings) -> Iterator[Isolation]:
    """The same for a fence that is there; what it does not enforce is logged.

    Raises:
        SettingsError: a variable that is to be passed on may hold the fleet's credentials.
    """
    for guard in fence.flaws:
        log.warning("REPLs are not isolated in this respect: %s (%s)", guard.name, guard.flaw)
    if not fence.restricts:
        yield no_isolation
        return
    enclosures = Enclosures(fence, variables=variables_passed(settings))
    try:
        yield enclosures
    finally:
        enclosures.close()


def weaker(capabilities: Capabilities, reason: str) -> Capabilities | None:
    """The same machine without the one of its means that fails most often; None when it has none left."""
    failed = f"it was tried and failed: {reason}"
    if capabilities.cgroup:
        return replace(capabilities, cgroup="", cgroup_flaw=failed)
    if capabilities.bubblewrap:
        return replace(capabilities, bubblewrap="", bubblewrap_flaw=failed)
    if not capabilities.user_flaw:
        return replace(capabilities, user_flaw=failed)
    if capabilities.landlock_abi:
        return replace(capabilities, landlock_abi=0)
    if not capabilities.seccomp_flaw:
        return replace(capabilities, seccomp_flaw=failed)
    return None


def _strongest(capabilities: Capabilities, policy: Policy, project: LeanProject) -> Fence:
    facts: Capabilities | None = capabilities
    reason = ""
    while facts is not None:
        fence = plan(facts, policy)
        if not (reason := _try(fence, project)):
            return fence
        log.warning("a fence does not work here, trying a weaker one: %s", reason)
        facts = weaker(facts, reason)
    raise SettingsError(f"no REPL can be started in isolation ({reason}): name what it needs in isolation_readable")


def _try(fence: Fence, project: LeanProject) -> str:
    """Why a program cannot be run inside; empty when it can."""
    program = shutil.which(project.command[0], path=os.environ.get("PATH")) or project.command[0]
    if "/" in project.command[0]:
        program = str(Path(project.directory or "/", project.command[0]))
    trial = Launch(
        command=(os.path.realpath(sys.executable), "-I", "-S", "-c", _TRIAL, program), directory=project.directory
    )
    try:
        with closing(Enclosures(fence)) as enclosures, enclosures(trial) as launch:
            done = subprocess.run(
                launch.argv(-1),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=dict(launch.environment),
                timeout=_TRIAL_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return said[-1] if said else f"exit status {done.returncode}"


def _policy(settings: WorkerSettings, project: LeanProject, environ: Mapping[str, str]) -> Policy:
    readable = [Path(word).expanduser() for word in _words(settings.isolation_readable, ":")]
    for path in readable:
        if not path.is_absolute() or not path.exists():
            raise SettingsError(f"isolation_readable names {path}, which is no absolute path of something that exists")
    return policy_for(
        project.command,
        project.directory,
        environ=environ,
        more_readable=[*readable, *_of_checker(settings)],
        limits=Limits(
            memory_bytes=settings.isolation_memory_bytes or _machine_bytes(),
            processes=settings.isolation_processes,
            file_bytes=settings.isolation_file_bytes,
            cpu_seconds=settings.isolation_cpu_seconds,
        ),
    )


def _of_checker(settings: WorkerSettings) -> list[Path]:
    """What an external checker needs, which is run in the same fence."""
    named = [settings.verify_directory, *settings.verify_words]
    return [path for word in named if word and (path := Path(word).expanduser()).is_absolute() and path.exists()]


def _words(text: str, separator: str) -> list[str]:
    return [word for part in text.split(separator) if (word := part.strip())]


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def variables_passed(settings: WorkerSettings) -> list[str]:
    """The names of variables that REPLs may see besides the usual ones."""
    return _words(settings.isolation_variables, ",")


def open_thawing(
    settings: WorkerSettings, project: LeanProject, *, environ: Mapping[str, str] | None = None
) -> tuple[Fence, Fence]:
    """Two fences: behind which a REPL can be frozen, and behind which its copies are thawed. Blocks for a moment.

    A copy keeps the user, the limits and the filter of what was frozen; namespaces and mounts are made for it. Landlock
    is lost.

    Raises:
        SettingsError: as `open_fence` does.
        UnsupportedPlatformError: a copy would not be kept from all that a REPL that is started is kept from.
    """
    facts = probe()
    policy = _policy(settings, project, os.environ if environ is None else environ)
    to_freeze = plan(facts, replace(policy, freezable=True))
    started = _strongest(facts, policy, project)
    user_flaw = facts.user_flaw if to_freeze.changes_user else "the worker's user may not be another's"
    copies = plan(replace(facts, landlock_abi=0, user_flaw=user_flaw), policy)
    kept = {guard.name for guard in copies.guards if guard.holds}
    lost = [guard.name for guard in started.guards if guard.holds and guard.name not in kept]
    if not started.bubblewrap:
        raise UnsupportedPlatformError(
            "CRIU does not keep Landlock, and without bubblewrap's namespaces a thawed REPL would reach all files"
        )
    if lost:
        raise UnsupportedPlatformError(
            f"a thawed REPL would lose what a started one has: {', '.join(lost)}"
            + (f" ({_unpassable(policy)})" if not to_freeze.changes_user else "")
        )
    return to_freeze, replace(copies, cgroup=started.cgroup)


def _unpassable(policy: Policy) -> str:
    closed = (*policy.closed_to_others, *policy.beneath_closed)
    return f"{closed[0]} is closed to other users: install where all may read, as in /opt" if closed else "not root"
