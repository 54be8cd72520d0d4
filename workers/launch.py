"""How a REPL process is started: what it may know of this machine, and the one place where isolation wraps it."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from workers.isolation.environment import PASSED_ON

_LAUNCHER = Path(__file__).with_name("launcher.py")

# Without isolation a REPL lives in the worker's own home, where elan keeps its toolchains.
_AT_HOME = PASSED_ON | {"HOME", "LOGNAME", "TMPDIR", "USER", "XDG_CACHE_HOME"}


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a REPL without isolation may see. Lean code can read them: no credentials are among them."""
    return {name: value for name, value in environ.items() if name in _AT_HOME}


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A command as it is to be run.

    `folder` is one that this REPL alone shares with its worker, where isolation provides one; without isolation the
    REPL reaches every path. It may hold `folder_limit_bytes`, if not 0. `data_limit_bytes`, if not 0, is the kernel's
    limit on what it allocates (RLIMIT_DATA).

    `restrictions` are put upon it by the launcher (`workers.isolation.__main__`). A command that `needs_launcher` no
    more dies with its parent by itself, and whatever it started with it.

    `nested` says that the REPL is no direct child but lives in a pid namespace whose first process is the command's
    child: one that was thawed. It has a session of its own there.
    """

    command: tuple[str, ...]
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: scrubbed(os.environ), repr=False)
    folder: Path | None = None
    folder_limit_bytes: int = 0
    restrictions: tuple[str, ...] = ()
    needs_launcher: bool = True
    data_limit_bytes: int = 0
    nested: bool = False

    def argv(self, guard_descriptor: int) -> tuple[str, ...]:
        """The command line that starts the launcher, which becomes the command."""
        if not self.needs_launcher:
            return self.command
        return (
            sys.executable,
            "-I",
            "-S",
            str(_LAUNCHER),
            str(os.getpid()),
            str(guard_descriptor),
            str(self.data_limit_bytes),
            str(len(self.restrictions)),
            *self.restrictions,
            *self.command,
        )


# Entered once for each process, before it starts, it gives the same launch inside of a sandbox; left when the process
# has been reaped. Entering may raise OSError; leaving runs in a thread and may take its time.
Isolation = Callable[[Launch], AbstractContextManager[Launch]]


def no_isolation(launch: Launch) -> AbstractContextManager[Launch]:
    return nullcontext(launch)
