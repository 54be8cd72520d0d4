"""The promise that no REPL outlives its worker, also when the worker is killed by SIGKILL.

The kernel's parent-death signal reaches a REPL but not that REPL's own children, and `lake env repl` is such a child.
So a worker has one small watchman process that knows every process group and waits for the worker's end of a pipe to
close.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from workers.launch import scrubbed

_WATCHMAN = Path(__file__).with_name("watchman.py")
_CLOSE_SECONDS = 5.0


class Guard:
    """One watchman process; started at its first use, and again should it have died.

    The pipe's writing end must stay with this process alone: one that forks without an exec (multiprocessing's "fork")
    holds a copy, and the watchman then waits for both.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def __repr__(self) -> str:
        state = f"pid {self._process.pid}" if self._process is not None else "not running"
        return f"<Guard {state}, {len(self._groups)} process groups>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def descriptor(self) -> int:
        """The pipe for a child that registers itself, as the launcher does; the watchman runs when this returns.

        Raises:
            OSError: no further process can be started.
        """
        if self._process is not None and self._process.poll() is not None:
            self._discard()
        if self._process is None:
            self._process = subprocess.Popen(
                (sys.executable, "-I", "-S", str(_WATCHMAN)),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=scrubbed(os.environ),
                start_new_session=True,
            )
            for group in self._groups:
                self._tell(b"+%d\n" % group)
        assert self._process.stdin is not None  # noqa: S101 - by construction
        return self._process.stdin.fileno()

    def add(self, group: int) -> None:
        """Remember a group that has registered itself, in case the watchman must be started again."""
        self._groups.add(group)

    def remove(self, group: int) -> None:
        """Forget a group. Call it before its leader is reaped, while its number cannot belong to anyone else."""
        self._groups.discard(group)
        self._tell(b"-%d\n" % group)

    def close(self) -> None:
        """End the watchman; it kills what is still registered. Blocks for some milliseconds."""
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin is not None  # noqa: S101 - by construction
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(timeout=_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _discard(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()

    def _tell(self, line: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it died: `descriptor` starts another
            os.write(self._process.stdin.fileno(), line)
