"""How a REPL process is started: what it may know of this machine, and the one place where isolation wraps it."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launcher.py")

# Lean code can read its process's environment while it is elaborated: credentials must not be there. So what is passed
# on is listed, never what is held back.
_PASSED = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME"})
_PASSED_PREFIXES = ("LC_", "LEAN_", "LAKE_", "ELAN_", "DYLD_", "LD_")


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a REPL may see: where programs, caches and the Lean toolchain are, and the language."""
    return {name: value for name, value in environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A command as it is to be run. `data_limit_bytes`, if not 0, is the kernel's limit on the process's own memory."""

    command: tuple[str, ...]
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: scrubbed(os.environ), repr=False)
    data_limit_bytes: int = 0

    def argv(self, guard_descriptor: int) -> tuple[str, ...]:
        """The command line that starts the launcher, which becomes the command."""
        return (
            sys.executable,
            "-I",
            "-S",
            str(_LAUNCHER),
            str(os.getpid()),
            str(guard_descriptor),
            str(self.data_limit_bytes),
            *self.command,
        )


# From a launch to the same launch inside of a sandbox.
Isolation = Callable[[Launch], Launch]


def no_isolation(launch: Launch) -> Launch:
    return launch
