"""A pool that is closed by several, or while it makes an image."""

import asyncio

import pytest

from producer.errors import PoolClosedError, ReplError
from tests.integration.pool.processes import LONG_SECONDS
from tests.waiting import until
from workers.pool import AsyncLeanREPLPool
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
