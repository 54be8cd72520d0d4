"""A REPL process to talk to, one request at a time: no more than what the tests need."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]

_DEADLINE_SECONDS = 60.0


class Repl:
    """`python -m workers.embedded`, ended when the block is left."""

    def __init__(self, *arguments: str, cwd: Path | None = None) -> None:
        command = [sys.executable, "-m", "workers.embedded", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd, env=environment
        )
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def receive(self) -> Json:
        """The next reply; fails after a deadline or when the process ends."""
        assert self.process.stdout is not None
        end = time.monotonic() + _DEADLINE_SECONDS
        while b"\n\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            assert ready, f"no reply within {_DEADLINE_SECONDS:g} s"
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            assert chunk, f"the process ended with status {self.process.wait()}: {self._stderr()}"
            self._buffer += chunk
        reply, _, self._buffer = self._buffer.partition(b"\n\n")
        parsed: Json = json.loads(reply)
        return parsed

    def _stderr(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode(errors="replace")[-2000:]

    def ask(self, **request: Any) -> Json:
        self.send(json.dumps(request).encode() + b"\n\n")
        return self.receive()

    def finish(self) -> tuple[int, bytes]:
        """Close its input; its status and what it wrote to stderr."""
        _, errors = self.process.communicate(timeout=_DEADLINE_SECONDS)
        return self.process.returncode, errors
