"""One child process and its pipes, driven by the running event loop: bytes in, bytes out, and a certain end.

Not asyncio's subprocess: creating one awaits, and whoever is cancelled there leaves a half-made process; its watchers
reap on their own, so that a number may be killed that is someone else's by then. Here all is set up in one call that
never awaits, and the whole group is killed *before* its leader is reaped, while the number is certainly ours.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable

from workers.guard import Guard
from workers.launch import Launch
from workers.processes import kill_children, nested_leader

_READ_BYTES = 256 * 1024


class Child:
    """A process in a session and process group of its own, with three pipes.

    It is bound to the thread that starts it: on Linux it dies with that thread, which must therefore live as long as it
    is needed. An event loop's thread does.
    """

    def __init__(
        self,
        launch: Launch,
        *,
        guard: Guard | None,
        on_output: Callable[[bytes], None],
        on_exit: Callable[[int], None],
        stderr_bytes: int,
    ) -> None:
        """Start it; `on_exit` is called once, after the last `on_output`, with the return code as in subprocess.

        Raises:
            OSError: it cannot be started: no process left, or the working directory is missing.
        """
        self._loop = asyncio.get_running_loop()
        self._guard = guard
        self._on_output = on_output
        self._on_exit = on_exit
        self._stderr_bytes = stderr_bytes
        self._stderr = bytearray()
        self._unsent: list[memoryview] = []
        self._killed = False
        self._nested = launch.nested
        self._exited = self._loop.create_future()
        # Only the launcher may have it: who writes to it names the groups that are killed.
        descriptor = guard.descriptor() if guard is not None and launch.needs_launcher else -1
        self._process = subprocess.Popen(
            launch.argv(descriptor),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=launch.directory,
            env=dict(launch.environment),
            start_new_session=True,
            pass_fds=(descriptor,) if descriptor >= 0 else (),
        )
        self.pid = self._leader = self._process.pid
        try:
            self._stdin, self._stdout, self._errors = (
                pipe.fileno()
                for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
                if pipe is not None
            )
            for pipe in (self._stdin, self._stdout, self._errors):
                os.set_blocking(pipe, False)
            self._watch()
        except BaseException:  # out of descriptors, most likely
            os.killpg(self.pid, signal.SIGKILL)
            self._process.communicate()
            raise
        if guard is not None:
            guard.add(self.pid)
        self._loop.add_reader(self._stdout, self._read_output)
        self._loop.add_reader(self._errors, self._read_errors)

    @property
    def has_exited(self) -> bool:
        return self._exited.done()

    @property
    def pipes(self) -> tuple[str, str, str]:
        """What the kernel calls its three pipes in /proc; for a process that has not ended."""
        numbers = (os.fstat(pipe).st_ino for pipe in (self._stdin, self._stdout, self._errors))
        stdin, stdout, stderr = (f"pipe:[{number}]" for number in numbers)
        return stdin, stdout, stderr

    @property
    def leader(self) -> int:
        """The leader of the group that the command itself runs in: `pid`, unless it is nested, and up already."""
        if self._nested and self._leader == self.pid and not self.has_exited:
            self._leader = nested_leader(self.pid) or self.pid
        return self._leader

    @property
    def stderr_tail(self) -> str:
        """The last of what it wrote to its standard error."""
        return bytes(self._stderr[-self._stderr_bytes :]).decode(errors="replace").strip()

    def write(self, data: bytes) -> None:
        """Send `data`, as fast as the process reads it; never blocks."""
        if self._killed or self._exited.done():
            return
        if not self._unsent:
            try:
                sent = os.write(self._stdin, data)
            except BlockingIOError:
                sent = 0
            except BrokenPipeError:
                return  # it is dying: its exit is what will be reported
            if sent == len(data):
                return
            self._loop.add_writer(self._stdin, self._write_more)
            self._unsent.append(memoryview(data)[sent:])
        else:
            self._unsent.append(memoryview(data))

    def kill(self) -> None:
        """Kill the whole group now. Idempotent. Nothing more is read from it."""
        if self._killed or self._exited.done():
            return
        self._killed = True
        self._loop.remove_reader(self._stdout)
        # Its first process takes a namespace with it, and is reaped by its parent, which ends then. Killed together
        # with its parent, it would be left to whoever reaps orphans, and in a container that may be nobody.
        if self._nested and kill_children(self.pid):
            return
        # The leader has not been reaped, so that the number is ours: `_end` reaps it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> None:
        """Return once it has ended and is reaped."""
        await asyncio.shield(self._exited)

    def _watch(self) -> None:
        """Call `_end` when the leader has ended, without reaping it."""
        if hasattr(os, "pidfd_open"):
            descriptor = os.pidfd_open(self.pid)

            def ended() -> None:
                self._loop.remove_reader(descriptor)
                os.close(descriptor)
                self._end()

            self._loop.add_reader(descriptor, ended)
            return

        def wait() -> None:
            # Without pidfd (macOS, old kernels) a thread waits. Reaping there leaves a moment in which the number is
            # free; systems that give numbers out in turn do not reuse it that soon.
            self._process.wait()
            with contextlib.suppress(RuntimeError):  # the loop was closed over us
                self._loop.call_soon_threadsafe(self._end)

        threading.Thread(target=wait, name=f"wait-{self.pid}", daemon=True).start()

    def _end(self) -> None:
        if not self._killed:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # what it may have started and left behind
            self._drain(self._stdout, self._on_output)
        self._drain(self._errors, self._keep_errors)
        if self._guard is not None:
            self._guard.remove(self.pid)
        returncode = self._process.wait()
        for descriptor in (self._stdout, self._errors):
            self._loop.remove_reader(descriptor)
        self._loop.remove_writer(self._stdin)
        self._unsent.clear()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._exited.set_result(None)
        self._on_exit(returncode)

    def _drain(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        """Read what the dead have left in a pipe; bounded, should someone outside of the group still write to it."""
        for _ in range(64):
            try:
                data = os.read(descriptor, _READ_BYTES)
            except OSError:
                return
            if not data:
                return
            take(data)

    def _read_output(self) -> None:
        try:
            data = os.read(self._stdout, _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._on_output(data)
        else:
            # It has closed its output and cannot answer any more; most often it is ending by itself.
            self._loop.remove_reader(self._stdout)
            self._on_output(b"")

    def _read_errors(self) -> None:
        try:
            data = os.read(self._errors, _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._keep_errors(data)
        else:
            self._loop.remove_reader(self._errors)

    def _keep_errors(self, data: bytes) -> None:
        self._stderr += data
        if len(self._stderr) > 2 * self._stderr_bytes:
            del self._stderr[: -self._stderr_bytes]

    def _write_more(self) -> None:
        try:
            while self._unsent:
                sent = os.write(self._stdin, self._unsent[0])
                if sent < len(self._unsent[0]):
                    self._unsent[0] = self._unsent[0][sent:]
                    return
                self._unsent.pop(0)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent.clear()
        self._loop.remove_writer(self._stdin)
