"""Starts that fail are tried again, ever more slowly, and not all at the same moment."""

import random

from hypothesis import given
from hypothesis import strategies as st

from workers.backoff import backoff_seconds


def delay(failures: int, seed: int = 0) -> float:
    return backoff_seconds(failures, first_seconds=0.5, most_seconds=30.0, rng=random.Random(seed))


@given(st.integers(1, 10_000), st.integers())
def test_a_delay_is_between_half_and_all_of_the_doubled_one(failures: int, seed: int) -> None:
    doubled = min(30.0, 0.5 * 2.0 ** min(failures - 1, 100))
    assert doubled / 2 <= delay(failures, seed) <= doubled


def test_without_a_failure_there_is_no_delay() -> None:
    assert delay(0) == 0.0


def test_two_that_failed_together_come_back_apart() -> None:
    assert len({delay(5, seed) for seed in range(20)}) == 20
