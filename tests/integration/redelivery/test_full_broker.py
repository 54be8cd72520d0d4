"""A queue that fills its broker is emptied by workers that start only then: the fleet may have been none."""

import asyncio

import redis

from producer.client import Client
from producer.outcome import Outcome
from producer.settings import Settings
from tests.integration.redelivery.conftest import StartMachine
from tests.waiting import DEADLINE_SECONDS, until


async def test_a_worker_that_starts_on_a_full_broker_empties_it(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine
) -> None:
    async with Client(settings) as client:
        calls = [asyncio.create_task(client.run_code("x")) for _ in range(20)]
        await until(lambda: broker.llen(settings.queue) == len(calls), "all of them wait")
        broker.config_set("maxmemory", 1)
        try:
            start_machine(wait=False)
            async with asyncio.timeout(DEADLINE_SECONDS):
                results = await asyncio.gather(*calls)
        finally:
            broker.config_set("maxmemory", 0)
    assert {result.outcome for result in results} == {Outcome.OK}
