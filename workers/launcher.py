"""Becomes a REPL: the few system calls between fork and exec that make its end certain.

Run as a program of its own, since code between fork and exec in a threaded process may deadlock (`preexec_fn`). It
costs about 6 ms, and imports nothing of ours where nothing is restricted. Arguments: the parent's pid, the guard's pipe
(-1 for none), a limit on data in bytes (0 for none), the number of restrictions and these, then the command.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_OOM_SCORE_ADJ = b"500"  # of -1000 … 1000: when the machine runs out of memory a REPL goes, and not its worker


def main(arguments: list[str]) -> None:
    parent, guard, data_bytes, count = map(int, arguments[:4])
    restrictions, command = arguments[4 : 4 + count], arguments[4 + count :]
    if sys.platform == "linux":
        # Sent when the parent's thread that started us ends. The guard covers what this cannot: our own children.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            with open("/proc/self/oom_score_adj", "wb") as file:  # noqa: PTH123 - pathlib would cost 3 ms a start
                file.write(_OOM_SCORE_ADJ)
        except OSError:
            pass  # a hardened container may refuse; it is a preference only
    if os.getppid() != parent:
        sys.exit("the worker died while this REPL was starting")
    if guard >= 0:
        # Before the exec, so that nothing of the REPL ever runs unregistered. Short writes to a pipe are atomic.
        os.write(guard, b"+%d\n" % os.getpid())
        os.close(guard)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crashed Lean would leave gigabytes
    if data_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    if restrictions:
        # In this same process: another interpreter would double what a start costs.
        sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - see above
        from workers.isolation import __main__ as isolation  # noqa: PLC0415

        isolation.main([*restrictions, "--", *command])
    for number in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
        signal.SIGINT,
    ):  # Python ignores or handles them; exec keeps "ignored"
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        sys.exit(127)  # as a shell does


if __name__ == "__main__":
    main(sys.argv[1:])
