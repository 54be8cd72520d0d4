"""The same faults and the same demands, with RabbitMQ's quorum queues as the broker."""

from pathlib import Path

import pytest

from tests.chaos.driver import Chaos, Trial
from tests.chaos.schedule import (
    CUT_NETWORK,
    DRAIN_WORKER,
    FILL_BROKER,
    FREEZE_BROKER,
    FREEZE_WORKER,
    HALF_OPEN,
    KILL_BROKER,
    KILL_WORKER,
    LOSE_ANSWERS,
    SLOW_BROKER,
    in_turn,
)
from tests.needs import need
from tests.rabbitmq import find_rabbitmq


@pytest.mark.parametrize(
    ("seed", "kinds"),
    [
        (1, (KILL_WORKER, DRAIN_WORKER, FREEZE_WORKER)),
        (2, (KILL_BROKER, FREEZE_BROKER, FILL_BROKER)),
        (3, (CUT_NETWORK, SLOW_BROKER, HALF_OPEN, LOSE_ANSWERS)),
    ],
    ids=["workers", "broker", "network"],
)
async def test_every_operation_is_answered_once_and_as_in_calm(
    seed: int, kinds: tuple[str, ...], tmp_path: Path
) -> None:
    need("rabbitmq", "" if find_rabbitmq() else "RabbitMQ's server is not installed (see .ci/install-rabbitmq)")
    faults = in_turn(*kinds, every_seconds=2.5, seconds=2.2, seed=seed)
    trial = Trial(seed=seed, operations=400, all_faults=True, faults=faults, longest_seconds=3.0, broker="rabbitmq")
    report = await Chaos(trial, tmp_path).run()
    assert not report.problems, str(report)
    assert report.attempts.total() >= 400
    assert len(report.applied) == len(faults)
