"""Files of Lean objects with a trailer, so that a damaged or foreign one is refused before Lean touches it.

Lean maps such a file into memory and believes every byte: a truncated one ends the process, and a damaged one lies.
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

_TRAILER = struct.Struct("<8sQ32s32s")
_MAGIC = b"leanobj1"


class SealError(Exception):
    """A file that must not be loaded; the text says why."""


class Seal(NamedTuple):
    """What a trailer says."""

    body_bytes: int
    body_sha256: bytes
    world: bytes
    """32 bytes that stand for all that the body's addresses point to outside of it."""


def sealed(body: bytes, world: bytes) -> bytes:
    """The trailer of a body."""
    return _TRAILER.pack(_MAGIC, len(body), hashlib.sha256(body).digest(), world)


def read_seal(data: bytes, size: int) -> Seal:
    """The trailer at the end of `data`, for a file of `size` bytes. Raises SealError."""
    if len(data) < _TRAILER.size:
        raise SealError("it is too short")
    magic, body_bytes, body_sha256, world = _TRAILER.unpack(data[-_TRAILER.size :])
    if magic != _MAGIC:
        raise SealError("it is not a file of Lean objects, or it is truncated")
    if body_bytes + _TRAILER.size != size:
        raise SealError("its length is wrong")
    return Seal(body_bytes, body_sha256, world)


def unsealed(data: bytes, world: bytes) -> bytes:
    """The body of a file's bytes, checked. Raises SealError."""
    seal, body = _checked(data)
    if seal.world != world:
        raise SealError("it was made by another build of Lean or of the core library")
    return body


def is_whole(data: bytes) -> bool:
    """Whether a file's bytes are as they were written, by whatever build."""
    try:
        _checked(data)
    except SealError:
        return False
    return True


def _checked(data: bytes) -> tuple[Seal, bytes]:
    seal = read_seal(data, len(data))
    body = data[: seal.body_bytes]
    if hashlib.sha256(body).digest() != seal.body_sha256:
        raise SealError("its content is damaged")
    return seal, body


TRAILER_BYTES = _TRAILER.size
