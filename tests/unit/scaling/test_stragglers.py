"""How long slots stand idle behind the slowest operation of their machine."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.scaling.stragglers import idle_seconds

durations = st.dictionaries(st.floats(0.001, 1000), st.floats(0.1, 1e6), min_size=1, max_size=6)


def test_equal_operations_leave_what_uniform_remainders_do() -> None:
    # Remainders of 10 s are uniform: the greatest of n is 10 n / (n + 1), one of them 5.
    assert idle_seconds({10.0: 1.0}, 2) == pytest.approx(20 / 3 - 5)
    assert idle_seconds({10.0: 7.0}, 9) == pytest.approx(9 - 5)


def test_it_is_what_drawing_says() -> None:
    seconds, counts, slots = [1.0, 10.0, 300.0], [1000.0, 100.0, 2.0], 8
    random = Random("drawn")
    weights = [length * count for length, count in zip(seconds, counts, strict=True)]
    drawn = 0.0
    for _ in range(20_000):
        left = [length * random.random() for length in random.choices(seconds, weights, k=slots)]
        drawn += max(left) - sum(left) / slots
    assert idle_seconds(dict(zip(seconds, counts, strict=True)), slots) == pytest.approx(drawn / 20_000, rel=0.03)


@given(durations, st.integers(1, 64))
def test_more_slots_never_wait_for_less_and_none_longer_than_the_longest(found: dict[float, float], slots: int) -> None:
    idle = idle_seconds(found, slots)
    assert 0 <= idle <= max(found)
    assert idle_seconds(found, slots + 1) >= idle - 1e-6 * max(found)


@given(durations)
def test_a_machine_of_one_slot_has_no_stragglers(found: dict[float, float]) -> None:
    assert idle_seconds(found, 1) == pytest.approx(0, abs=1e-9)


def test_nothing_measured_is_nothing_idle() -> None:
    assert idle_seconds({}, 8) == 0
