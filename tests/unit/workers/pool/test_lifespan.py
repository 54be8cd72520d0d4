"""A REPL goes when it has reached one of its limits, and REPLs that began together do not go together."""

import random

import pytest

from workers.memory import machine_bytes
from workers.pool.assignment import Retirement
from workers.pool.lifespan import MOST_RECYCLE_BYTES, RECYCLE_JITTER, Lifespan, Lifespans
from workers.settings import PoolSettings


@pytest.mark.parametrize(
    ("memory_bytes", "uses", "age_seconds", "reason"),
    [
        (100, 9, 59.0, None),
        (101, 9, 59.0, Retirement.MEMORY),
        (100, 10, 59.0, Retirement.USES),
        (100, 9, 60.0, Retirement.AGE),
        (101, 10, 60.0, Retirement.MEMORY),
    ],
)
def test_it_ends_with_the_first_limit_that_is_reached(
    memory_bytes: int, uses: int, age_seconds: float, reason: Retirement | None
) -> None:
    lifespan = Lifespan(memory_bytes=100, uses=10, age_seconds=60.0)
    assert lifespan.end(memory_bytes=memory_bytes, uses=uses, age_seconds=age_seconds) is reason


def test_limits_are_drawn_a_little_below_the_settings() -> None:
    settings = PoolSettings(recycle_uses=1000, recycle_age_seconds=100.0, recycle_memory_bytes=5)
    lifespans = Lifespans(settings, random.Random(1))
    drawn = [lifespans.draw() for _ in range(50)]
    assert all(1000 * (1 - RECYCLE_JITTER) <= lifespan.uses <= 1000 for lifespan in drawn)
    assert all(100 * (1 - RECYCLE_JITTER) <= lifespan.age_seconds <= 100 for lifespan in drawn)
    assert {lifespan.memory_bytes for lifespan in drawn} == {5}
    assert len({lifespan.uses for lifespan in drawn}) == len(drawn)


def test_without_a_setting_all_repls_together_leave_memory_to_the_machine() -> None:
    settings = PoolSettings(size=3, spares=1)
    lifespan = Lifespans(settings, random.Random(1)).draw()
    assert 0 < lifespan.memory_bytes <= MOST_RECYCLE_BYTES
    assert 4 * lifespan.memory_bytes <= machine_bytes()
