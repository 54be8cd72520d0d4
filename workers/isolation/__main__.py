"""Becomes a REPL: the last program before it restricts itself and executes the REPL's command in its own place.

    python -I -S workers/isolation/__main__.py [RESTRICTION …] -- COMMAND …

A restriction is NAME=VALUE: `workers.isolation.fence` writes them, and `ps` shows them. Whatever cannot be applied
ends the process with a reason on standard error: what was planned holds, or the REPL does not run. It is a program of
its own because code between fork and exec in a threaded process may deadlock, and it imports next to nothing because it
runs at every start of a REPL.
"""

import ctypes
import os
import resource
import sys

if __name__ == "__main__":  # in isolated mode nothing of ours is on the path
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120 - pathlib would cost 3 ms a start

from workers.isolation import landlock, seccomp

EXIT_REFUSED = 125  # the fence could not be put up
EXIT_NOT_FOUND = 127  # the command cannot be run

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 1, 38, 24
_SIGKILL = 9
_CAPABILITY_VERSION_3 = 0x20080522

_NOT_DEFAULT = (2, 13, 25)  # SIGINT, SIGPIPE, SIGXFSZ: handled or ignored by Python, maybe by the worker
_OOM_SCORE_ADJ = b"500"  # as in workers/launcher.py
_libc = ctypes.CDLL(None, use_errno=True)

_LIMITS = {
    "address-space": resource.RLIMIT_AS,
    "cpu": resource.RLIMIT_CPU,
    "data": resource.RLIMIT_DATA,
    "file-size": resource.RLIMIT_FSIZE,
    "open-files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
}


def main(arguments: list[str]) -> None:
    """Apply the restrictions in `arguments`, then become the command after `--`."""
    split = arguments.index("--")
    settings, command = arguments[:split], arguments[split + 1 :]
    values: dict[str, list[str]] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        values.setdefault(name, []).append(value)
    program = find_program(command[0])
    try:
        restrict(values)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"the REPL could not be isolated, and was not started: {error}\n")
        sys.exit(EXIT_REFUSED)
    for number in _NOT_DEFAULT:
        _libc.signal(number, None)  # to the default: exec would hand "ignored" on; the module `signal` would cost 2 ms
    try:
        os.execv(program, command)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]} in isolation: {error.strerror}\n")
        sys.exit(EXIT_NOT_FOUND)


def find_program(name: str) -> str:
    """The path of a command. Not by `os.execvp`: it imports modules, which may be out of reach by then."""
    if "/" not in name:
        for folder in os.environ.get("PATH", os.defpath).split(":"):
            path = f"{folder}/{name}"
            if os.access(path, os.X_OK):
                return path
    return name


def restrict(values: dict[str, list[str]]) -> None:
    """Restrict this process. The order matters: each step may need what a later one takes away.

    Raises:
        OSError: the kernel refused.
        ValueError: a limit is no number.
    """
    os.umask(0o077)
    if "nice" in values:
        os.nice(int(values["nice"][0]))
    for name, kind in _LIMITS.items():
        if name in values:
            _limit(kind, int(values[name][0]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    on_linux = sys.platform == "linux"
    if on_linux:
        _prefer_to_be_killed()
        _empty_bounding_set()
    if "user" in values:
        _become(int(values["user"][0]))
    os.chdir(values["directory"][0])  # as the new user, who alone may enter a private folder
    if on_linux:
        _give_up_privileges()
        _confine(values)


def _confine(values: dict[str, list[str]]) -> None:
    if "landlock" in values:
        landlock.restrict(
            readable=values.get("read", []),
            listable=values.get("list", []),
            writable=values.get("write", []),
            devices=values.get("device", []),
            freezable=values["landlock"] == ["freezable"],
        )
    if "seccomp" in values:
        alone = values["seccomp"] == ["alone"]
        seccomp.install(seccomp.program(os.uname().machine, pid=None if alone else os.getpid()))


def _limit(kind: int, most: int) -> None:
    """Soft and hard at once; never above the hard limit that is there, which may be lower already."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _prefer_to_be_killed() -> None:
    try:
        with open("/proc/self/oom_score_adj", "wb") as file:  # noqa: PTH123 - pathlib would cost 3 ms a start
            file.write(_OOM_SCORE_ADJ)
    except OSError:
        pass  # a hardened container may refuse; it is a preference only


def _empty_bounding_set() -> None:
    """For root, which alone may; for others it changes nothing, since no-new-privileges holds for them too."""
    number = 0
    while _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1


def _give_up_privileges() -> None:
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))
    # Once more, since the kernel forgets it when the user changes.
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
