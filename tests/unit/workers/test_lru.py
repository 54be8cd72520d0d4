"""What is remembered is bounded, and what was used last is remembered longest."""

import pytest

from workers.lru import LRU


def test_the_least_recently_used_is_forgotten_first() -> None:
    lru: LRU[str, int] = LRU(2)
    lru["a"] = 1
    lru["b"] = 2
    assert lru["a"] == 1  # used, so that b is the oldest now
    lru["c"] = 3
    assert list(lru) == ["a", "c"]


def test_writing_again_counts_as_use() -> None:
    lru: LRU[str, int] = LRU(2)
    lru.update(a=1, b=2)
    lru["a"] = 3
    lru["c"] = 4
    assert dict(lru.items()) == {"a": 3, "c": 4}


def test_looking_does_not_count_as_use() -> None:
    lru: LRU[str, int] = LRU(2)
    lru.update(a=1, b=2)
    assert "a" in lru
    assert lru.peek("a") == 1
    assert list(lru.items()) == [("a", 1), ("b", 2)]
    assert list(lru.values()) == [1, 2]
    lru["c"] = 3
    assert "a" not in lru


def test_it_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="LRU of 0"):
        LRU(0)
