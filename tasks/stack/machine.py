"""A worker machine on this computer: a worker process with its REPLs, which can be killed as a preempted VM is."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tasks.stack.process import LocalProcess

# One that ends sooner than that after its start, so many times in a row, ends of something that a further start
# does not mend.
_SHORT_LIFE_SECONDS = 30.0
_SHORT_LIVES = 3


class Machine(LocalProcess):
    """`leanfleet worker` in a process group of its own, which is ready when it takes work."""

    # The embedded Lean's core is built at a user's first start, which takes a while on a slow computer.
    ready_seconds = 180.0

    def __init__(
        self, name: str, *, directory: Path, environ: Mapping[str, str], repls: int = 0, events: bool = False
    ) -> None:
        """`repls` 0 is as the settings say; with `events` Flower sees what the worker does.

        It reports as a machine of this name: `leanfleet drain NAME` means it alone, and not all of this computer.
        """
        self.id = name
        options = [f"--name={name}", "--events" if events else "--no-events"]
        if repls:
            options.append(f"--repls={repls}")
        super().__init__(
            name=f"worker {name}",
            command=[sys.executable, "-P", "-m", "leanfleet", "worker", *options],
            log_path=directory / f"{name}.log",
            environ={"LEANFLEET_MACHINE_ID": name, **environ},
            directory=directory,
        )
        self._started: float | None = None
        self._short_lives = 0

    def start(self) -> None:
        super().start()
        now = time.monotonic()
        is_short = self._started is not None and now - self._started < _SHORT_LIFE_SECONDS
        self._short_lives = self._short_lives + 1 if is_short else 0
        self._started = now

    @property
    def is_worth_replacing(self) -> bool:
        """Of one that ended: whether it was ready before, and those before it lived long enough."""
        return self.is_ready() and self._short_lives < _SHORT_LIVES

    def log_tail(self, lines: int = 15) -> str:
        """Why it could not start, in its own words, where it says so."""
        _, said, reason = self.log().rpartition("cannot start: ")
        return reason.strip() if said else super().log_tail(lines)

    def is_ready(self) -> bool:
        return " ready." in self.log()
