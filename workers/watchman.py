"""Kills the process groups of a worker that is gone: the program behind `workers.guard`.

Standard input is a pipe whose other end is the worker's. Lines on it register (`+pid`) and forget (`-pid`) a process
group; its end means that the worker is dead, whatever killed it, and every group still registered is killed. Run with
nothing of ours imported. Its own session keeps it alive when the worker's group is killed.
"""

import contextlib
import os
import signal
import sys


def started(pid: int) -> str:
    """When process `pid` started, in the kernel's clock ticks; empty when that cannot be known."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - see the launcher
            # The name, in parentheses, may hold anything; the start is the 20th field after it.
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, str] = {}
    for line in sys.stdin.buffer:
        pid = int(line[1:])
        if line[:1] == b"+":
            groups[pid] = started(pid)
        else:
            groups.pop(pid, None)
    for group, start in groups.items():
        # A leader that started at another time has the number of ours, which is therefore gone with its whole group:
        # a number is not given out again while a group bears it.
        if (now := started(group)) and now != start:
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
