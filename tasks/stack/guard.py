"""Become another program that is killed when the parent dies: `guard.py PARENT_PID PROGRAM ARGUMENTS…`.

A program of its own, and not a `preexec_fn`, since running Python between fork and exec deadlocks in threaded parents.
Runs with nothing but the standard library. The kernel counts the *thread* that started the child as its parent: start
children from a thread that lives as long as they should. On systems without the parent-death signal (macOS), children
of a parent that was killed with SIGKILL remain.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the parent died before its child began")
    try:
        os.execv(program[0], program)  # noqa: S606 - there is no shell to avoid
    except OSError as error:
        sys.exit(f"cannot run {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
