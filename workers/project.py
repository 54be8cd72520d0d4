"""The Lean that a worker runs, and the fingerprint by which states know whether they belong to it.

Two machines with the same fingerprint can restore each other's states: same toolchain, same REPL, same packages. The
project's own sources are not part of it; a project that is imported from must be a package under a revision.
"""

import contextlib
import hashlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from producer.errors import SettingsError
from workers.protocol import get_adapter
from workers.settings import WorkerSettings

_IMAGE_SECONDS = 60.0
# The community REPL flushes its replies since v4.10 (its pull request 49). Before, the C library keeps them for itself
# while the output is a pipe, unless somebody tells it not to.
_FLUSHES_SINCE = 10
_LINE_BUFFERED = ("stdbuf", "-oL")
_TOOLCHAIN = re.compile(r"v4\.(\d+)\.")
# What decides which modules an import finds, and what is in them.
_PROJECT_FILES = ("lean-toolchain", "lake-manifest.json", "lakefile.toml", "lakefile.lean")


@dataclass(frozen=True, kw_only=True)
class LeanProject:
    """What is run as a REPL, where, in which protocol (`workers.protocol`), and its fingerprint."""

    command: tuple[str, ...]
    directory: Path | None
    adapter: str
    fingerprint: str


def open_project(settings: WorkerSettings) -> LeanProject:
    """The project that the settings name: a REPL of the user's, else the embedded Lean.

    Blocks: the embedded Lean is built at its first use, which takes some seconds.

    Raises:
        SettingsError: the command, the directory or the adapter is not there.
        UnsupportedPlatformError: there is no embedded Lean for this machine.
    """
    if settings.repl_command:
        directory = Path(settings.project_directory).expanduser() if settings.project_directory else None
        return repl_project(settings.repl_words, directory, adapter=settings.adapter or "community")
    if settings.project_directory or settings.adapter:
        raise SettingsError("project_directory and adapter say how to run a repl_command, which is not set")
    return embedded_project()


def repl_project(command: Sequence[str], directory: Path | None, *, adapter: str = "community") -> LeanProject:
    """A REPL of the user's.

    Args:
        command: the program and its arguments, such as `lake env /opt/repl/repl`; relative to `directory`.
        directory: where it is run, a lake project as a rule; None: the working directory.
        adapter: the protocol that it speaks.

    Raises:
        SettingsError: the command, the directory or the adapter is not there.
    """
    get_adapter(adapter)
    directory = directory.resolve() if directory is not None else Path.cwd()
    if not directory.is_dir():
        raise SettingsError(f"the project directory {directory} is not there")
    if not command:
        raise SettingsError("repl_command is empty")
    program = directory / command[0] if "/" in command[0] else Path(command[0])
    if shutil.which(program) is None:
        raise SettingsError(
            f"cannot run {command[0]!r}: no such program on the PATH or in {directory}. Install it, or set repl_command"
        )
    # The REPL's binary is one of the words: `lake env /opt/repl/repl`. What the PATH finds is the toolchain's affair.
    words = {word: _file_hash(directory / word) for word in command if (directory / word).is_file()}
    files = {name: _file_hash(directory / name) for name in _PROJECT_FILES if (directory / name).is_file()}
    return LeanProject(
        command=line_buffered(command) if adapter == "community" and not _flushes(directory) else tuple(command),
        directory=directory,
        adapter=adapter,
        fingerprint=fingerprint({"adapter": adapter, "command": words or {"name": command[-1]}, "project": files}),
    )


def _flushes(directory: Path) -> bool:
    """Whether the REPL of the project's toolchain sends replies as it has them. Where none is named, it does."""
    try:
        named = _TOOLCHAIN.search((directory / "lean-toolchain").read_text("utf-8", "replace"))
    except OSError:
        return True
    return named is None or int(named[1]) >= _FLUSHES_SINCE


def line_buffered(command: Sequence[str]) -> tuple[str, ...]:
    """The command of a REPL that does not flush, so that its replies arrive when their lines end.

    Raises:
        SettingsError: the program that can do it is not installed.
    """
    if command[0].rpartition("/")[2] == _LINE_BUFFERED[0]:
        return tuple(command)
    if shutil.which(_LINE_BUFFERED[0]) is None:
        raise SettingsError(
            "the REPL of Lean before v4.10 keeps its replies in a buffer, and `stdbuf` is not here to change that: "
            "install GNU coreutils, or move the project to v4.10 or newer"
        )
    return (*_LINE_BUFFERED, *command)


def embedded_project() -> LeanProject:
    """The embedded Lean; built now if this user has never run it.

    Raises:
        UnsupportedPlatformError: there is none for this machine.
        EmbeddedLeanError: its library is missing, or the core could not be built.
    """
    # A worker with a REPL of its own needs none of it.
    from workers.embedded import build  # noqa: PLC0415

    core = build.ensure_core()
    # -P: the working directory may hold another `workers`.
    command = (
        *(sys.executable, "-P", "-m", "workers.embedded"),
        *("--library", str(core.library), "--core", str(core.lean_path)),
    )
    if not any(core.lean_path.glob("*.image")):
        # The first process writes it. REPLs in isolation cannot: the folder is read-only for them, as it must be.
        with contextlib.suppress(subprocess.TimeoutExpired):  # it only makes starts quicker
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False, timeout=_IMAGE_SECONDS
            )
    sources = [_file_hash(path) for path in sorted(Path(build.__file__).parent.glob("*.py"))]
    return LeanProject(
        command=command,
        directory=None,
        adapter="embedded",
        # The key stands for the library and the core; the process around them has a say in what a pickle holds.
        fingerprint=fingerprint({"adapter": "embedded", "core": core.key, "process": sources}),
    )


def fingerprint(parts: Mapping[str, object]) -> str:
    """A short name for what `parts` and the machine's architecture say; equal for equal parts. 128 bits, in hex."""
    canonical = msgspec.json.encode({"machine": platform.machine(), "parts": parts}, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:32]


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
