"""Unpacked pickles on a worker's own disk, so that a state that is restored often is fetched once.

A file appears under its name in one step and is never written to again: REPLs map pickles into memory, and truncating a
mapped file kills whoever mapped it. Deleting one is safe, since the mapping keeps the data.
"""

import contextlib
import secrets
import threading
from collections import OrderedDict
from pathlib import Path

from workers.scratch import ScratchFolder

_PREFIX = "leanfleet-states-"


class PickleCache:
    """Files by name in a folder of this object's own, at most `limit_bytes` of them; the least recently used go first.

    A new, empty folder each time, since a file's name says nothing about whether it was written by a sound machine.
    What a worker that was killed left behind is deleted by the next one that starts. Safe to use from several threads.
    """

    def __init__(self, parent: Path | None, *, limit_bytes: int) -> None:
        """`parent` is where the folder is made; None: the system's folder for temporary files."""
        self._parent = parent
        self._limit_bytes = limit_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._total_bytes = 0
        self._lock = threading.Lock()
        self._is_closed = False
        self._scratch = _scratch_folder(parent)

    def __repr__(self) -> str:
        return f"<PickleCache {len(self._sizes)} files, {self._total_bytes:,} of {self._limit_bytes:,} bytes>"

    @property
    def total_bytes(self) -> int:
        return self._total_bytes

    @property
    def folder(self) -> Path:
        """Deleted when the cache is closed. Another, empty one where somebody cleaned up and deleted it before that."""
        with self._lock:
            if not self._is_closed and not self._scratch.path.is_dir():
                self._sizes.clear()
                self._total_bytes = 0
                self._scratch.close()
                with contextlib.suppress(OSError):  # whoever writes there will be told
                    self._scratch = _scratch_folder(self._parent)
            return self._scratch.path

    def find(self, name: str) -> Path | None:
        """The file called `name`, and mark it as used."""
        with self._lock:
            if name not in self._sizes:
                return None
            self._sizes.move_to_end(name)
        path = self._scratch.path / name
        if not path.exists():  # whoever cleans temporary folders was here
            self.drop(name)
            return None
        return path

    def add(self, name: str, data: bytes) -> Path:
        """Write a file and return its path; older files may go for it, and one larger than the limit stays alone.

        Raises:
            OSError: the disk is full, or worse.
        """
        folder = self.folder
        temporary = folder / f"new-{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as file:
                file.write(data)
            temporary.replace(folder / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        with self._lock:
            self._total_bytes += len(data) - self._sizes.pop(name, 0)
            self._sizes[name] = len(data)
            doomed = []
            while self._total_bytes > self._limit_bytes and len(self._sizes) > 1:
                oldest, size = self._sizes.popitem(last=False)
                self._total_bytes -= size
                doomed.append(oldest)
        for oldest in doomed:
            (folder / oldest).unlink(missing_ok=True)
        return folder / name

    def drop(self, name: str) -> None:
        with self._lock:
            self._total_bytes -= self._sizes.pop(name, 0)
        (self._scratch.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Delete everything."""
        with self._lock:
            self._is_closed = True
            self._sizes.clear()
            self._total_bytes = 0
        self._scratch.close()


def _scratch_folder(parent: Path | None) -> ScratchFolder:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    return ScratchFolder(_PREFIX, parent=parent)
