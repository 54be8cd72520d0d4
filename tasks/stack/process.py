"""One local program in a session of its own: started, watched until it is ready, and surely stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tasks.stack.errors import StackError

_GUARD = Path(__file__).with_name("guard.py")
_POLL_SECONDS = 0.02


class LocalProcess:
    """A child process that leads its own session, writes to a log file and does not outlive this process.

    In a `with` it is started and ready, and stopped afterwards.

    Its own session keeps a terminal's Ctrl-C away from it: who started it decides in which order things stop.
    """

    ready_seconds = 60.0  # how long it may take until it does what it is for

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str],
        log_path: Path,
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """`environ` is all that the child sees of an environment; None is this process's own."""
        self.name = name
        self.command = tuple(command)
        self.log_path = log_path
        self._environ = environ
        self._directory = directory
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._asked = False

    @property
    def pid(self) -> int | None:
        """The leader of the process group; None before the start."""
        return None if self._popen is None else self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """As `subprocess` gives it (negative: the signal that ended it); None while it runs or before its start."""
        return None if self._popen is None else self._popen.poll()

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def __repr__(self) -> str:
        state = "not started" if self._popen is None else f"pid {self.pid}"
        if self.exit_code is not None:
            state += f", exit code {self.exit_code}"
        return f"<{type(self).__name__} {self.name}: {state}>"

    def start(self) -> None:
        """Start it; a second start after its end begins anew and appends to the log.

        Raises:
            StackError: it runs already, or the log cannot be written.
        """
        if self.running:
            raise StackError(f"{self.name} is running already")
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            with self.log_path.open("ab") as log:
                self._log_start, self._asked = log.tell(), False
                self._popen = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environ,
                    cwd=self._directory,
                    start_new_session=True,
                )
        except OSError as error:
            raise StackError(f"cannot start {self.name}: {error}") from error

    def is_ready(self) -> bool:
        """Whether it does what it is for."""
        raise NotImplementedError

    def wait_ready(self) -> None:
        """Return when it does what it is for; raise StackError when it does not come that far."""
        self.wait_until(self.is_ready, timeout_seconds=self.ready_seconds)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def wait_until(self, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Return when `is_ready()`; it is asked again and again.

        Raises:
            StackError: the process ended, or was not ready in time; with the last lines of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not self.running:
                raise StackError(f"{self.name} ended at its start (exit code {self.exit_code}):\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready after {timeout_seconds:g} s:\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def log(self) -> str:
        """What it wrote since its last start."""
        try:
            return self.log_path.read_bytes()[self._log_start :].decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log().splitlines()[-lines:]) or f"(nothing in {self.log_path})"

    def signal(self, number: int) -> None:
        """Send a signal to the whole process group; nothing happens when it is gone."""
        if self._popen is None:
            return
        try:
            os.killpg(self._popen.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
            return

    def ask_to_end(self) -> None:
        """SIGTERM for the leader, once: for a worker a second one means now."""
        if self._popen is not None and self.running and not self._asked:
            self._asked = True
            self._popen.send_signal(signal.SIGTERM)

    def stop(self, *, grace_seconds: float = 5.0) -> int | None:
        """Ask it to end, then end it; returns its exit code. May be called at any time and any number of times."""
        if self._popen is None:
            return None
        if self.running:
            self.ask_to_end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace_seconds)
        return self.kill()

    def kill(self) -> int | None:
        """SIGKILL for the process group, whatever is left of it; returns the leader's exit code."""
        if self._popen is None:
            return None
        self.signal(signal.SIGKILL)
        return self._popen.wait()


def stop_together(processes: Sequence[LocalProcess], *, grace_seconds: float = 5.0) -> None:
    """Ask all of them to end at the same time, then wait for each. What fails for one does not spare the others."""
    for process in processes:
        process.ask_to_end()
    deadline = time.monotonic() + grace_seconds
    for process in processes:
        process.stop(grace_seconds=max(0.0, deadline - time.monotonic()))
