"""Files of Lean objects are refused when anything about them is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.embedded.seal import TRAILER_BYTES, SealError, read_seal, sealed, unsealed

WORLD = b"w" * 32
BODY = b"olean" * 100


def test_a_sealed_body_comes_back() -> None:
    assert unsealed(BODY + sealed(BODY, WORLD), WORLD) == BODY


def test_another_world_is_refused() -> None:
    with pytest.raises(SealError, match="another build"):
        unsealed(BODY + sealed(BODY, WORLD), b"v" * 32)


@given(st.integers(0, len(BODY) + TRAILER_BYTES - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(index: int, change: int) -> None:
    data = bytearray(BODY + sealed(BODY, WORLD))
    data[index] ^= change
    with pytest.raises(SealError):
        unsealed(bytes(data), WORLD)


@given(st.integers(0, len(BODY) + TRAILER_BYTES - 1))
def test_any_truncation_is_noticed(length: int) -> None:
    data = (BODY + sealed(BODY, WORLD))[:length]
    with pytest.raises(SealError):
        unsealed(data, WORLD)


def test_the_trailer_alone_tells_a_truncated_file() -> None:
    whole = BODY + sealed(BODY, WORLD)
    assert read_seal(whole[-TRAILER_BYTES:], len(whole)).body_bytes == len(BODY)
    with pytest.raises(SealError, match="length"):
        read_seal(whole[-TRAILER_BYTES:], len(whole) - 8)
