import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.errors import BlobCorruptError
from workers.states.packing import pack, unpack


@given(st.binary(max_size=5000) | st.binary(min_size=10, max_size=50).map(lambda data: data * 200))
def test_what_was_packed_is_unpacked(data: bytes) -> None:
    packed, encoding = pack(data)
    assert len(packed) <= len(data)
    assert unpack(packed, encoding, len(data)) == data


def test_only_what_gets_smaller_is_compressed() -> None:
    assert pack(b"x" * 100_000)[1] == "zstd"
    assert pack(os.urandom(100_000))[1] == ""
    assert pack(b"x" * 100)[1] == ""


@pytest.mark.parametrize("size", [0, 99_999, 100_001])
def test_a_wrong_size_is_noticed(size: int) -> None:
    packed, encoding = pack(b"x" * 100_000)
    with pytest.raises(BlobCorruptError):
        unpack(packed, encoding, size)


@pytest.mark.parametrize("data", [b"", b"no zstd at all", pack(b"x" * 100_000)[0][:-3]])
def test_bytes_that_cannot_be_unpacked_are_corrupt(data: bytes) -> None:
    with pytest.raises(BlobCorruptError):
        unpack(data, "zstd", 100_000)
