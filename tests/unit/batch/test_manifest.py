"""What is in the store and is none of ours, or was damaged there."""

import gzip

import pytest

from producer.batch.manifest import Entry, Manifest, decode, decode_lines, encode_lines
from producer.errors import WireError

ENTRIES = [Entry(id=str(number)) for number in range(1000)]
LINES = encode_lines(ENTRIES)


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"id": "\xff"}', b'{"id": ' + b"[" * 100_000])
def test_a_manifest_that_cannot_be_read_is_named(junk: bytes) -> None:
    with pytest.raises(WireError, match="some manifest"):
        decode(junk, Manifest, "some manifest")


@pytest.mark.parametrize(
    "junk",
    [
        b"no gzip",
        LINES[:-3],  # cut short
        LINES[:12] + b"\xff" * 20 + LINES[32:],  # no deflate any more
        LINES[:-8] + bytes(8),  # another checksum
        gzip.compress(b'{"id": "\xff"}'),
        gzip.compress(b"{"),
    ],
)
def test_lines_that_cannot_be_read_are_named(junk: bytes) -> None:
    assert decode_lines(LINES, Entry, "some lines") == ENTRIES
    with pytest.raises(WireError, match="some lines"):
        decode_lines(junk, Entry, "some lines")
