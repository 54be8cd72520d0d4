"""Trials of some seconds, so that every change meets every fault; `make chaos` runs long ones."""

from pathlib import Path

import pytest

from tests.chaos.driver import Chaos, Trial
from tests.chaos.schedule import (
    CUT_NETWORK,
    DRAIN_WORKER,
    FREEZE_BROKER,
    FREEZE_WORKER,
    KILL_BROKER,
    KILL_WORKER,
    make_schedule,
)


@pytest.mark.parametrize(
    ("seed", "kinds"),
    [
        (1, (KILL_WORKER, DRAIN_WORKER)),
        (2, (KILL_BROKER, FREEZE_BROKER)),
        (3, (FREEZE_WORKER, CUT_NETWORK)),
    ],
    ids=["workers", "broker", "network"],
)
async def test_every_operation_is_answered_once_and_as_in_calm(
    seed: int, kinds: tuple[str, ...], tmp_path: Path
) -> None:
    faults = make_schedule(seed, for_seconds=12, every_seconds=2.5, kinds=kinds)
    trial = Trial(seed=seed, operations=600, faults=faults, longest_seconds=3.0)
    report = await Chaos(trial, tmp_path).run()
    assert not report.problems, str(report)
    assert report.attempts.total() == 600


def test_a_seed_draws_the_same_faults_again() -> None:
    assert make_schedule(7, for_seconds=60, every_seconds=3) == make_schedule(7, for_seconds=60, every_seconds=3)
    assert make_schedule(7, for_seconds=60, every_seconds=3) != make_schedule(8, for_seconds=60, every_seconds=3)
