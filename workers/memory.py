"""How much memory a REPL's process group holds of its own.

Counted is what is the process's alone and cannot be dropped: anonymous and shared-memory pages. File-backed pages are
not: a REPL maps gigabytes of compiled modules that all REPLs share and that the kernel drops when it must. Where the
system does not tell them apart (macOS) the resident size is taken.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

RESCAN_SECONDS = 0.5

_FIELDS = (b"RssAnon:", b"RssShmem:")


class GroupMemory:
    """Sizes of process groups. One for all REPLs of a worker, so that they share the scans for their members.

    A scan of all processes takes milliseconds on a busy machine, one process's size 20 µs: so members are looked for at
    most every `rescan_seconds`, and their sizes read at every call.
    """

    def __init__(self, *, rescan_seconds: float = RESCAN_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._rescan_seconds = rescan_seconds
        self._clock = clock
        self._members: dict[int, tuple[int, ...]] = {}
        self._scanned_at = float("-inf")

    def used_bytes(self, group: int) -> int:
        """What the processes of `group` hold together, in bytes; 0 for a group that is gone."""
        now = self._clock()
        if now - self._scanned_at >= self._rescan_seconds:
            self._members = _scan()
            self._scanned_at = now
        return sum(map(process_bytes, self._members.get(group) or (group,)))


def machine_bytes() -> int:
    """The memory that this process and its children may fill: the machine's, or less where a cgroup limits it."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_cgroup_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def _cgroup_limits(membership: Path, mounted: Path) -> Iterator[int]:
    """The memory limits of our cgroup and of those above it, in version 2 or 1 of the kernel's interface."""
    try:
        lines = membership.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root, name = (mounted, "memory.max") if not controllers else (mounted / "memory", "memory.limit_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            # In a container its own group is mounted as the root, whatever path it has outside.
            with contextlib.suppress(OSError, ValueError):
                yield int((folder / name).read_text(encoding="ascii"))
            if folder == root:
                break


def _scan_proc() -> dict[int, tuple[int, ...]]:
    """The members of every process group that has more than its leader."""
    groups: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a path object for each process would double the cost
        if entry.isdigit():
            pid = int(entry)
            try:
                group = os.getpgid(pid)
            except OSError:
                continue
            groups.setdefault(group, []).append(pid)
    return {group: tuple(pids) for group, pids in groups.items() if len(pids) > 1}


def _bytes_from_proc(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123 - read 20 times a second for each busy REPL
            status = file.read()
    except OSError:
        return 0
    total = 0
    for name in _FIELDS:
        if (at := status.find(name)) >= 0:
            total += int(status[at + len(name) : status.index(b"kB", at)])
    return total * 1024


def _scan_psutil() -> dict[int, tuple[int, ...]]:
    import psutil  # noqa: PLC0415 - only where there is no /proc

    groups: dict[int, list[int]] = {}
    for pid in psutil.pids():
        try:
            groups.setdefault(os.getpgid(pid), []).append(pid)
        except OSError:
            continue
    return {group: tuple(pids) for group, pids in groups.items() if len(pids) > 1}


def _bytes_from_psutil(pid: int) -> int:
    import psutil  # noqa: PLC0415 - only where there is no /proc

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


_scan, process_bytes = (_scan_proc, _bytes_from_proc) if sys.platform == "linux" else (_scan_psutil, _bytes_from_psutil)
