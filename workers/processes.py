"""Who descends from whom, by what Linux tells in /proc: for processes that live in a pid namespace of their own."""

import contextlib
import os
import signal
from pathlib import Path


def children(pid: int) -> tuple[int, ...]:
    """The processes whose parent is the main thread of `pid`; none where that cannot be known."""
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()))
    except OSError:
        return ()


def descendants(pid: int) -> list[int]:
    """All processes that came of `pid`, whichever of its threads started them."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        born: list[int] = []
        for listed in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                born += map(int, listed.read_text(encoding="ascii").split())
        found += born
        waiting += born
    return found


def nested_leader(pid: int) -> int:
    """The first descendant of `pid` that leads a session of its own; 0 when there is none (yet)."""
    waiting = list(children(pid))
    while waiting:
        descendant = waiting.pop(0)
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(descendant) == descendant:
                return descendant
        waiting += children(descendant)
    return 0


def kill_children(pid: int) -> bool:
    """Kill the children of `pid`, a child of ours that is not reaped; returns whether there were any.

    By descriptors that are checked after they were opened: a number may be another's as soon as `pid` has reaped it.
    """
    killed = False
    for child in children(pid):
        try:
            descriptor = os.pidfd_open(child)
        except ProcessLookupError:
            continue
        try:
            if child in children(pid):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                killed = True
        except ProcessLookupError:
            continue
        finally:
            os.close(descriptor)
    return killed


def number_inside(pid: int) -> int:
    """What `pid` is called in its innermost pid namespace. Raises OSError when there is no such process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return pid
