"""A local machine: `leanfleet worker` in a process group of its own, bound to the life of this process."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from workers.guard import Guard
from workers.launch import Launch


class WorkerProcess:
    """One worker process. It dies with the thread that starts it, and its REPLs with it."""

    def __init__(
        self, machine_id: str, *, slots: int, guard: Guard, directory: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        """`environ` is what the worker sees of an environment, beside its name; None: this process's own."""
        self._machine_id = machine_id
        self._guard = guard
        self._log_path = directory / f"{machine_id}.log"
        settings = {"LEANFLEET_MACHINE_ID": machine_id, "LEANFLEET_WORKER_SIZE": str(slots)}
        self._launch = Launch(
            command=(sys.executable, "-P", "-m", "leanfleet", "worker", f"--name={machine_id}"),
            environment={**(os.environ if environ is None else environ), **settings},
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        state = "not started" if self._process is None else f"pid {self._process.pid}"
        return f"<WorkerProcess {self._machine_id}: {state}>"

    @property
    def pid(self) -> int | None:
        """The leader of the process group; None before the start."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def failure(self) -> str:
        if self._process is None or (code := self._process.poll()) is None or code <= 0:
            return ""  # not started, still there, in good order, or ended by a signal
        return f"exit code {code}, its log is {self._log_path}"

    def start(self) -> None:
        """Raise OSError when it cannot be started."""
        descriptor = self._guard.descriptor()
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._launch.argv(descriptor),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self._launch.environment),
                start_new_session=True,
                pass_fds=(descriptor,),
            )
        self._guard.add(self._process.pid)

    def stop(self, *, grace_seconds: float = 30.0) -> int | None:
        """SIGTERM for the worker, which drains within its own grace; then SIGKILL for all that is left."""
        if self._process is None:
            return None
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_seconds)
        return self.kill()

    def kill(self) -> int | None:
        if self._process is None:
            return None
        if self._process.returncode is None:
            # Not reaped, so the number is ours still.
            self._guard.remove(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()
