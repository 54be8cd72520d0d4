"""Making pickles smaller on their way, where that pays."""

import sys

from producer.errors import BlobCorruptError
from producer.state import Encoding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Memory images compress to a fifth at the fastest level; higher ones gain a few percent and cost several times the CPU.
_LEVEL = 1
_MIN_BYTES = 512  # below it a request costs the same whatever its size
_WORTH_IT = 0.9


def pack(data: bytes) -> tuple[bytes, Encoding]:
    """The bytes to store and how they are encoded: compressed where that saves a tenth at least."""
    if len(data) >= _MIN_BYTES:
        packed = zstd.compress(data, level=_LEVEL)
        if len(packed) < _WORTH_IT * len(data):
            return packed, "zstd"
    return data, ""


def unpack(data: bytes, encoding: Encoding, unpacked_bytes: int) -> bytes:
    """What was packed.

    Raises:
        BlobCorruptError: the bytes do not unpack to exactly `unpacked_bytes`; no more memory than that is used.
    """
    if not encoding:
        return data
    try:
        decompressor = zstd.ZstdDecompressor()
        unpacked = decompressor.decompress(data, max_length=unpacked_bytes + 1)
    except zstd.ZstdError as error:
        raise BlobCorruptError(f"a blob cannot be unpacked: {error}") from error
    if len(unpacked) != unpacked_bytes or not decompressor.eof:
        raise BlobCorruptError(f"a blob does not unpack to {unpacked_bytes:,} bytes")
    return unpacked
