"""What is in the store and is none of ours, or was damaged there."""

import gzip

import pytest

from producer.batch.manifest import Attempt, Entry, Manifest, decode, decode_lines, encode_lines
from producer.envelope import BatchPlace
from producer.errors import WireError
from producer.keys import batch_key

ENTRIES = [Entry(id=str(number)) for number in range(1000)]
LINES = encode_lines(ENTRIES)


def test_an_attempt_that_was_begun_without_a_token_keeps_its_names() -> None:
    old = decode(b'{"number": 1, "created_at": 1.0, "queue": "leanfleet", "v": 1}', Attempt, "an attempt")
    assert (old.token, old.mark) == ("", "")
    assert BatchPlace(id="b", attempt=1, place=0).key == batch_key("b", 1, old.user, old.token) == "leanfleet:batch:b:1"


def test_what_names_messages_does_not_tell_the_token() -> None:
    one, two = (Attempt(number=1, created_at=0.0, queue="q", token=token) for token in ("ab" * 16, "cd" * 16))
    assert one.mark != two.mark
    assert one.mark not in one.token
    assert len(one.mark) == 16


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
    ids=["no gzip", "cut short", "no deflate", "another checksum", "no text", "no JSON"],
)
def test_lines_that_cannot_be_read_are_named(junk: bytes) -> None:
    assert decode_lines(LINES, Entry, "some lines") == ENTRIES
    with pytest.raises(WireError, match="some lines"):
        decode_lines(junk, Entry, "some lines")
