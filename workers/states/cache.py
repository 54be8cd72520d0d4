"""Unpacked pickles on a worker's own disk, so that a state that is restored often is fetched once.

A file appears under its name in one step and is never written to again: REPLs map pickles into memory, and truncating a
mapped file kills whoever mapped it. Deleting one is safe, since the mapping keeps the data.
"""

import contextlib
import fcntl
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

_PREFIX = "leanfleet-states-"
_LOCK = "lock"


class PickleCache:
    """Files by name in a folder of this object's own, at most `limit_bytes` of them; the least recently used go first.

    A new, empty folder each time, since a file's name says nothing about whether it was written by a sound machine.
    What a worker that was killed left behind is deleted by the next one that starts. Safe to use from several threads.
    """

    def __init__(self, parent: Path | None, *, limit_bytes: int) -> None:
        """`parent` is where the folder is made; None: the system's folder for temporary files."""
        self._parent = Path(tempfile.gettempdir()) if parent is None else parent
        self._limit_bytes = limit_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._total_bytes = 0
        self._lock = threading.Lock()
        self._is_closed = False
        self._folder, self._lock_file = _make_folder(self._parent)
        _delete_abandoned(self._parent)

    def __repr__(self) -> str:
        return f"<PickleCache {len(self._sizes)} files, {self._total_bytes:,} of {self._limit_bytes:,} bytes>"

    @property
    def total_bytes(self) -> int:
        return self._total_bytes

    @property
    def folder(self) -> Path:
        """Deleted when the cache is closed. Another, empty one where somebody cleaned up and deleted it before that."""
        with self._lock:
            if not self._is_closed and not self._folder.is_dir():
                self._sizes.clear()
                self._total_bytes = 0
                self._lock_file.close()
                with contextlib.suppress(OSError):  # whoever writes there will be told
                    self._folder, self._lock_file = _make_folder(self._parent)
            return self._folder

    def find(self, name: str) -> Path | None:
        """The file called `name`, and mark it as used."""
        with self._lock:
            if name not in self._sizes:
                return None
            self._sizes.move_to_end(name)
        path = self._folder / name
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
        (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Delete everything."""
        with self._lock:
            self._is_closed = True
            self._sizes.clear()
            self._total_bytes = 0
        _delete(self._folder)
        self._lock_file.close()


def _make_folder(parent: Path) -> tuple[Path, BinaryIO]:
    """A new folder in `parent`, and its lock: held while that file is open, and let go by the kernel in any case.

    A worker that starts at the same time may take it for abandoned until the lock is held; then it is another one.
    """
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = (folder / _LOCK).open("xb")
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (folder / _LOCK).exists():
                return folder, lock
        lock.close()


def _delete(folder: Path) -> None:
    """Delete a cache, its lock at the end: what is left by whoever is killed meanwhile is known for abandoned."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name != _LOCK:
                path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _delete_abandoned(parent: Path) -> None:
    """Delete the folders of this user's caches whose process is gone."""
    for folder in parent.glob(_PREFIX + "*"):
        try:
            with (folder / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _delete(folder)
        except OSError:
            continue  # in use, another user's, or just being made
