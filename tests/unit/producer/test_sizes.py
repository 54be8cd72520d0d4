import pytest

from producer.sizes import parse_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("10B", 10), ("2GiB", 2 * 1024**3), ("2Gi", 2 * 1024**3), ("1.5kb", 1500), (" 3 MB ", 3_000_000)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "GB", "1XB", "1 2", "i", "1i", "0.0001", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_bytes(text)
