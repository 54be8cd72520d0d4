"""Lean objects in files: the base image that every session starts from, and what sessions save.

Lean can write a graph of objects as a *compacted region*, an image of memory with absolute addresses, and map it again.
What lies in other regions that the writer names is not copied: only its address is stored. The base image (the
environment behind the header `import Init`, some megabytes) is such a region, made once per machine and mapped by every
process at the same address, so a saved proof state holds only what the session added: some ten kilobytes.

An address in the base image means the same thing on two machines exactly if their images have the same layout. That
is compared: `Image.world` is a hash of the image without what differs from process to process.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from array import array as machine_array
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workers.embedded.abi import UNIT, Object, box, field
from workers.embedded.runtime import GIT_HASH, LeanException, Runtime
from workers.embedded.seal import TRAILER_BYTES, SealError, read_seal, sealed

if TYPE_CHECKING:
    from collections.abc import Sequence

_IMAGE_KEY = "leanfleet image 5"
"""Lean makes the address from a hash of this name: 0x683b_a0ba_0000, where neither Linux nor macOS put anything."""

_LIBRARY_SPAN = 1 << 28
_BASE_BEFORE_PATH = 12
"""Where a file's table of libraries has the library's address: before the path's length (4 bytes) and the path."""


class Image(NamedTuple):
    """The mapped base image. Its objects live for ever."""

    root: Object
    region: Object | None
    """None if there is no image file: what is saved then carries the whole environment along."""
    world: bytes


class Regions:
    """Writes and maps files of Lean objects."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        # Unlike their names without `___boxed`, these consume their arguments; the first is an erased type.
        self._save = runtime.lean.raw("l_Lean_CompactedRegion_save___boxed", 8)
        self._read = runtime.lean.raw("l_Lean_CompactedRegion_read___boxed", 4)

    def save(self, root: Object, key: str, needs: Sequence[Object]) -> bytes:
        """The bytes of a region with this borrowed root; `key` decides its address. Raises LeanException, OSError."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        with tempfile.TemporaryDirectory(prefix="lean-region-") as folder:
            path = Path(folder) / "region"
            region = self._save(
                UNIT,
                runtime.lean.string(str(path)),
                runtime.lean.name(key),
                keep(root),
                self._array(needs),
                UNIT,  # no previous region to extend
                box(1),  # closures may be saved: as offsets into the library
                UNIT,
            )
            runtime.lean.drop(runtime.io(region))
            return path.read_bytes()

    def map(self, path: str, needs: Sequence[Object]) -> tuple[Object, Object]:
        """The root and the region of a file that is known to be good. Raises LeanException."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        pair = runtime.io(self._read(UNIT, runtime.lean.string(path), self._array(needs), UNIT))
        return keep(field(pair, 0)), keep(field(pair, 1))

    def _array(self, regions: Sequence[Object]) -> Object:
        lean = self._runtime.lean
        return self._runtime.array_of_list(lean.cons(*map(lean.keep, regions)))


def image_world(image: bytes, library: str) -> bytes:
    """A hash of what addresses in an image mean: its content with code addresses as offsets into the library.

    A closure holds an absolute code address, followed by 4 bytes of arity and 4 bytes that nobody initialised.
    """
    end = image.rfind(library.encode())
    if end < _BASE_BEFORE_PATH:
        raise SealError("it names no library")
    (library_base,) = struct.unpack_from("<Q", image, end - _BASE_BEFORE_PATH)
    words = machine_array("Q", image[: (end - _BASE_BEFORE_PATH) // 8 * 8])
    for index, word in enumerate(words):
        if 0 <= word - library_base < _LIBRARY_SPAN:
            words[index] = word - library_base
            words[index + 1] &= 0xFFFFFFFF
    return hashlib.sha256(f"{GIT_HASH} {library} ".encode() + words.tobytes()).digest()


def load_image(runtime: Runtime, regions: Regions, path: Path) -> Image:
    """The base image in a file, which is made now if it is missing or unusable."""
    try:
        return _map_image(regions, path)
    except (OSError, SealError, LeanException):
        root = runtime.base()
        try:
            body = regions.save(root, _IMAGE_KEY, [])
            write_file(path, body + sealed(body, image_world(body, runtime.library)))
            return _map_image(regions, path)
        except (OSError, SealError, LeanException):
            return Image(root, None, bytes(32))


def _map_image(regions: Regions, path: Path) -> Image:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TRAILER_BYTES))
        seal = read_seal(file.read(), size)
    root, region = regions.map(str(path), [])
    return Image(root, region, seal.world)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that others may be reading or writing: it appears whole, by a rename. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
