"""Trials of some seconds, so that every change meets every fault; `make chaos` runs long ones."""

import resource
from pathlib import Path

import pytest

from tests.chaos.driver import Chaos, Trial
from tests.chaos.schedule import (
    CUT_NETWORK,
    DRAIN_WORKER,
    FILL_BROKER,
    FILL_DISK,
    FREEZE_BROKER,
    FREEZE_WORKER,
    HALF_OPEN,
    JUMP_CLOCK,
    KILL_BROKER,
    KILL_WORKER,
    LOSE_ANSWERS,
    LOSE_STORE_ANSWERS,
    SLOW_BROKER,
    SLOW_STORE,
    STORE_AWAY,
    STORE_ERRORS,
    in_turn,
    make_schedule,
)
from tests.needs import need


@pytest.mark.parametrize(
    ("seed", "kinds"),
    [
        (1, (KILL_WORKER, DRAIN_WORKER, FREEZE_WORKER, KILL_WORKER)),
        (2, (KILL_BROKER, FREEZE_BROKER, FILL_BROKER)),
        (3, (CUT_NETWORK, SLOW_BROKER, HALF_OPEN, LOSE_ANSWERS)),
        (24, (JUMP_CLOCK, FILL_DISK, JUMP_CLOCK)),  # ahead by hours, then behind
    ],
    ids=["workers", "broker", "network", "machine"],
)
async def test_every_operation_is_answered_once_and_as_in_calm(
    seed: int, kinds: tuple[str, ...], tmp_path: Path
) -> None:
    if FILL_DISK in kinds:
        need("prlimit", "" if hasattr(resource, "prlimit") else "only Linux limits other processes")
    faults = in_turn(*kinds, every_seconds=2.5, seconds=2.2, seed=seed)
    await passes(Trial(seed=seed, operations=400, all_faults=True, faults=faults, longest_seconds=3.0), tmp_path)


async def test_calls_and_batches_end_as_in_calm_whatever_the_store_does(tmp_path: Path) -> None:
    kinds = (STORE_ERRORS, LOSE_STORE_ANSWERS, STORE_AWAY, KILL_WORKER, SLOW_STORE)
    faults = in_turn(*kinds, every_seconds=2.0, seconds=2.0, seed=5)
    await passes(
        Trial(seed=5, operations=400, all_faults=True, faults=faults, longest_seconds=3.0, batch=200), tmp_path
    )


async def test_producers_make_good_what_a_broker_without_persistence_has_lost(tmp_path: Path) -> None:
    faults = in_turn(KILL_BROKER, KILL_BROKER, every_seconds=3.0, seconds=1.0, seed=6)
    trial = Trial(
        seed=6,
        operations=400,
        all_faults=True,
        faults=faults,
        longest_seconds=3.0,
        persistent=False,
        timeout_seconds=5.0,
        resend_seconds=1.0,
    )
    await passes(trial, tmp_path)


async def passes(trial: Trial, folder: Path) -> None:
    report = await Chaos(trial, folder).run()
    assert not report.problems, str(report)
    assert report.attempts.total() >= trial.operations
    assert len(report.applied) == len(trial.faults)


def test_a_seed_draws_the_same_faults_again() -> None:
    assert make_schedule(7, for_seconds=60, every_seconds=3) == make_schedule(7, for_seconds=60, every_seconds=3)
    assert make_schedule(7, for_seconds=60, every_seconds=3) != make_schedule(8, for_seconds=60, every_seconds=3)
