"""A process image on this machine's disk: CRIU's files, and what is needed to start a REPL from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from workers.images.machine import Machine
from workers.processes import descendants

# Written by CRIU for people; their bytes differ each time.
NOT_PART = frozenset({"stats-dump", "stats-restore"})


class Warm(msgspec.Struct, frozen=True, kw_only=True):
    """What the frozen process is."""

    project: str  # its fingerprint
    header: str
    environment: int | None  # where the header is imported
    pipes: tuple[str, str, str]  # what its standard streams were called
    machine: Machine
    # Of one that was made behind a fence, and is thawed behind one: its private folder, and its user.
    folder: str = ""
    owner: int = 0


class Stamp(NamedTuple):
    """By what a file is known not to have been changed or replaced since."""

    inode: int
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that may be thawed any number of times, also at the same time.

    `mapped` are the files that the process has open or in its memory: CRIU takes them from the disk by their paths, and
    a changed one would be taken for what it was. `written` are CRIU's own: it may hang on a damaged one.
    """

    folder: Path
    warm: Warm
    mapped: Mapping[Path, Stamp] = field(repr=False)
    written: Mapping[Path, Stamp] = field(repr=False)

    @property
    def size_bytes(self) -> int:
        return sum(stamp.size_bytes for stamp in self.written.values())

    def changed(self) -> str:
        """Why it must not be thawed any more; empty when it may be. Blocks for some microseconds a file."""
        for path, stamp in (*self.mapped.items(), *self.written.items()):
            if stamped(path) != stamp:
                return f"{path} was changed or removed since"
        return ""


def stamped(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


def mapped_files(pid: int) -> set[Path]:
    """The regular files that a process, or one that came of it, maps or has open: `lake env repl` is two processes.

    Raises OSError when one is gone, or one of the files was deleted.
    """
    found = {path for each in (pid, *descendants(pid)) for path in _mapped_by(each)}
    return {path for path in found if not path.is_relative_to("/dev")}


def _mapped_by(pid: int) -> set[Path]:
    found = set()
    with Path(f"/proc/{pid}/maps").open(encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            words = line.rstrip("\n").split(maxsplit=5)
            if len(words) == 6 and words[5].startswith("/"):  # noqa: PLR2004 - the path's place
                if words[5].endswith(" (deleted)"):
                    raise FileNotFoundError(f"the process maps {words[5]}")
                found.add(Path(words[5]))
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = descriptor.readlink()
        if target.is_absolute() and target.is_file():
            found.add(target)
    return found


def written_files(folder: Path) -> list[Path]:
    """The parts of an image in a folder, in a fixed order."""
    return sorted(path for path in folder.iterdir() if path.name not in NOT_PART and path.suffix != ".log")


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    return {path: stamp for path in paths if (stamp := stamped(path)) is not None}
