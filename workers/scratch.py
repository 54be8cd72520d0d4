"""A temporary folder that does not stay behind: deleted by its owner, or by the next one after a worker was killed."""

import contextlib
import fcntl
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

LOCK = ".lock"  # a file in the folder, locked while it is in use
_MAKING = "making-"
# Making a folder takes a millisecond: whoever began with one so long ago was killed meanwhile.
_MAKING_SECONDS = 3600


class ScratchFolder:
    """A folder `<prefix><random>` that belongs to this object until `close`; mode 0700.

    A lock in it says that it is in use; the kernel drops the lock with the process that holds it.
    """

    def __init__(self, prefix: str, *, parent: Path | None = None) -> None:
        """Make it in `parent`, or in the system's folder for temporary files, and delete abandoned ones beside it.

        Raises:
            OSError: it cannot be made.
        """
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        delete_abandoned(prefix, parent)
        # Under another name until it is locked: nobody takes it for abandoned.
        making = Path(tempfile.mkdtemp(prefix=_MAKING + prefix, dir=parent))
        self._lock = (making / LOCK).open("xb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = making.rename(parent / f"{prefix}{secrets.token_hex(8)}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    def close(self) -> None:
        """Delete it with all that is in it. Blocks."""
        _delete(self.path)
        self._lock.close()


def delete_abandoned(prefix: str, parent: Path) -> None:
    """Delete the folders of this prefix whose owner is gone, and those that were never finished."""
    for folder in parent.glob(f"{prefix}*"):
        try:
            with (folder / LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _delete(folder)
        except OSError:
            continue  # in use, another user's, or none of ours
    for folder in parent.glob(f"{_MAKING}{prefix}*"):
        with contextlib.suppress(OSError):  # it has just got its name
            if time.time() - folder.stat().st_mtime > _MAKING_SECONDS:
                remove_tree(folder)


def _delete(folder: Path) -> None:
    """Its lock at the end: what is left by whoever is killed meanwhile is known for abandoned."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            elif path.name != LOCK:
                path.unlink(missing_ok=True)
    remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Delete a folder that may be hostile: deeper than Python recurses, without permissions, full of links."""
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
        return
    if folder.exists():
        # Without permissions for itself, where the worker is no root.
        for command in (("/bin/chmod", "-R", "u+rwX", "--"), ("/bin/rm", "-rf", "--")):
            subprocess.run((*command, str(folder)), check=False, stderr=subprocess.DEVNULL)
