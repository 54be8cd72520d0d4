"""A full disk, as far as one machine of several on the same real disk can have one.

The kernel's limit on file sizes is set to nothing for the processes of a machine: no file can grow any more, its logs
among them, and writing raises EFBIG where a full disk raises ENOSPC. Pipes and sockets are no files.
"""

import contextlib
import resource
from collections.abc import Iterator

import psutil


def fill_disk(pid: int) -> None:
    """No process below `pid`, itself included, can write to a file; neither can those that it starts."""
    _limit(pid, is_full=True)


def empty_disk(pid: int) -> None:
    """Take it back."""
    _limit(pid, is_full=False)


def _limit(pid: int, *, is_full: bool) -> None:
    for each in _tree(pid):
        with contextlib.suppress(ProcessLookupError):
            _, most = resource.prlimit(each, resource.RLIMIT_FSIZE)
            resource.prlimit(each, resource.RLIMIT_FSIZE, (0 if is_full else most, most))


def _tree(pid: int) -> Iterator[int]:
    with contextlib.suppress(psutil.NoSuchProcess):
        yield pid
        for child in psutil.Process(pid).children(recursive=True):
            yield child.pid
