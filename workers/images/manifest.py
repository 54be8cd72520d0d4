"""What is known of a stored image: enough to refuse it before CRIU sees a byte of it.

A thawed process runs what its image says with all that its user may do. So a manifest is signed with the fleet's keys,
and names every byte by its hash: those of the image, and those of the files that the process maps.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal, Self

import msgspec

from producer.unreadable import UNREADABLE
from workers.images.errors import ImageRefusedError
from workers.images.image import Warm
from workers.images.machine import Machine
from workers.states.signing import Signer

FORMAT = 1
_KIND = "leanfleet-image"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Reading Mathlib's five gigabytes takes longer than importing it. Above this much in all, files are sampled.
WHOLE_BYTES = 1024**3
_SAMPLES = 64
_SAMPLE_BYTES = 4096


class MappedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A library or a compiled module that the process maps, and that must be the same wherever it is thawed."""

    path: str
    size_bytes: int
    sha256: str  # of all of it, or of samples; `Manifest.whole_files`


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str  # of the stored bytes, which is their name
    size_bytes: int
    unpacked_bytes: int
    encoding: Literal["", "zstd"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One of CRIU's files."""

    name: str
    chunks: tuple[Chunk, ...]

    @property
    def size_bytes(self) -> int:
        return sum(chunk.unpacked_bytes for chunk in self.chunks)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Equal images have equal manifests: nothing in it says when or by whom it was written."""

    warm: Warm
    whole_files: bool
    files: tuple[MappedFile, ...]
    parts: tuple[Part, ...]
    format: int = FORMAT
    signature: str = ""

    @property
    def id(self) -> str:
        """The SHA-256 of all that it says but the signature."""
        unsigned = msgspec.structs.replace(self, signature="")
        return hashlib.sha256(msgspec.json.encode(unsigned, order="sorted")).hexdigest()

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    @property
    def packed_bytes(self) -> int:
        return sum(chunk.size_bytes for part in self.parts for chunk in part.chunks)

    @property
    def chunks(self) -> set[str]:
        return {chunk.sha256 for part in self.parts for chunk in part.chunks}

    def signed(self, signer: Signer) -> Self:
        return msgspec.structs.replace(self, signature=signer.sign_text(_KIND, self.id))

    def to_json(self) -> bytes:
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_json(cls, data: bytes, *, expected_id: str) -> Self:
        """Raise ImageRefusedError when it is no manifest, or another than was asked for."""
        try:
            manifest = msgspec.json.decode(data, type=cls)
        except UNREADABLE as error:
            raise ImageRefusedError(f"the manifest cannot be read: {error}") from error
        if manifest.format != FORMAT:
            raise ImageRefusedError(f"the manifest has format {manifest.format}, and this is {FORMAT}")
        if manifest.id != expected_id:
            raise ImageRefusedError("the manifest is damaged: it does not have the id that it is stored under")
        names = [part.name for part in manifest.parts]
        if len(set(names)) != len(names) or not all(map(_NAME.fullmatch, names)):
            raise ImageRefusedError("the manifest names files that no image has")
        return manifest

    def require_signature(self, signer: Signer) -> None:
        """Raise ImageRefusedError unless a key of this fleet signed it."""
        if not signer.accepts_text(self.signature, _KIND, self.id):
            raise ImageRefusedError(f"image {self.id[:12]} has no signature of this fleet (LEANFLEET_WORKER_BLOB_KEYS)")

    def require_machine(self, here: Machine) -> None:
        """Raise ImageRefusedError unless it was made on a machine like this one."""
        if why := self.warm.machine.misfit(here):
            raise ImageRefusedError(f"image {self.id[:12]} does not fit this machine: {why}")

    def require_fit(self, here: Machine) -> None:
        """Raise ImageRefusedError unless it can be thawed here. Blocks: it reads the files that are mapped."""
        self.require_machine(here)
        for file in self.files:
            path = Path(file.path)
            try:
                same = path.stat().st_size == file.size_bytes and digest(path, whole=self.whole_files) == file.sha256
            except OSError as error:
                raise ImageRefusedError(f"image {self.id[:12]} needs {path}: {error.strerror}") from error
            if not same:
                raise ImageRefusedError(f"image {self.id[:12]} was made with another {path}")


def describe_files(paths: Collection[Path]) -> tuple[bool, tuple[MappedFile, ...]]:
    """Whether they were read as a whole, and what they are. Raises OSError when one is gone."""
    sizes = {path: path.stat().st_size for path in sorted(paths)}
    whole = sum(sizes.values()) <= WHOLE_BYTES
    return whole, tuple(
        MappedFile(path=str(path), size_bytes=size, sha256=digest(path, whole=whole)) for path, size in sizes.items()
    )


def digest(path: Path, *, whole: bool) -> str:
    """The SHA-256 of a file, or of samples that are spread evenly over it."""
    with path.open("rb") as file:
        if whole:
            return hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
        hashed = hashlib.sha256()
        for offset in _offsets(size):
            hashed.update(os.pread(file.fileno(), _SAMPLE_BYTES, offset))
        return hashed.hexdigest()


def _offsets(size: int) -> Iterable[int]:
    if size <= _SAMPLES * _SAMPLE_BYTES:
        return range(0, size, _SAMPLE_BYTES)
    return (place * (size - _SAMPLE_BYTES) // (_SAMPLES - 1) for place in range(_SAMPLES))
