"""A pool that is closed by several, and what comes up when it is closed."""

import asyncio
import contextlib
import random
from collections.abc import Iterator

import pytest

from producer.errors import PoolClosedError, ReplError
from tests.integration.pool.processes import LONG_SECONDS
from tests.waiting import until
from workers.guard import Guard
from workers.launch import Launch
from workers.pool import AsyncLeanREPLPool
from workers.pool.background import Background
from workers.pool.roster import Roster
from workers.pool.starter import Starter
from workers.protocol.requests import Command
from workers.settings import PoolSettings
from workers.testing.project import scripted_project


async def test_who_closes_it_patiently_does_not_wait_for_leases_that_another_has_ended() -> None:
    pool = AsyncLeanREPLPool(scripted_project(), PoolSettings(size=1, spares=0))
    async with pool, pool.lease() as repl:
        patient = asyncio.create_task(pool.close(timeout_seconds=10 * LONG_SECONDS))
        await until(lambda: "closing" in repr(pool), "it waits for the lease")
        await pool.close(timeout_seconds=0)
        await asyncio.wait_for(patient, LONG_SECONDS)
        with pytest.raises(ReplError):
            await repl.send(Command(code=""), timeout_seconds=LONG_SECONDS)
    with pytest.raises(PoolClosedError):
        async with pool.lease():
            pass


async def test_nothing_is_made_for_a_repl_that_was_given_up_before_it_was_started() -> None:
    """It has been cleaned up after: who made a folder for it now would leave it behind."""
    made: list[Launch] = []

    @contextlib.contextmanager
    def isolation(launch: Launch) -> Iterator[Launch]:
        made.append(launch)
        yield launch

    settings = PoolSettings(size=1)
    roster = Roster(settings, random.Random(1))
    with Guard() as guard:
        starter = Starter(
            scripted_project(),
            settings,
            guard=guard,
            isolation=isolation,
            images=None,
            background=Background(),
            on_end=lambda _: None,
        )
        member = roster.add("")
        roster.drop(member)
        with pytest.raises(PoolClosedError):
            await starter.bring_up(member)
    assert not made
