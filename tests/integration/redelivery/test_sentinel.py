"""A primary that dies in the middle of a load, and sentinels that make its replica the next one."""

import asyncio
from pathlib import Path

import pytest

from producer.client import Client
from producer.connection import broker_errors, open_redis
from producer.errors import BrokerUnavailableError
from producer.settings import Settings
from tasks.stack.machine import Machine
from tests.machines import worker_environ
from tests.sentinel import Guarded
from tests.waiting import DEADLINE_SECONDS, until


async def test_producers_and_workers_go_over_to_the_replica(tmp_path: Path) -> None:
    """What the replica had not heard of yet is lost with the primary, and sent again by the producer."""
    with Guarded(tmp_path / "guarded") as guarded:
        settings = Settings(broker_url=guarded.url, queue="guarded", resend_seconds=2.0)
        machine = Machine("machine", directory=tmp_path, environ=worker_environ(guarded.url, settings.queue))
        machine.start()
        try:
            async with Client(settings) as fleet:
                calls = [
                    asyncio.ensure_future(fleet.run_code(f"%sleep 0.02\n%say {number}", deadline_seconds=120))
                    for number in range(600)
                ]
                await until(lambda: sum(call.done() for call in calls) > 50, "the fleet works")
                guarded.first.kill()
                await until(lambda: guarded.primary_port() == guarded.second.port, "the replica is the primary")
                results = await asyncio.wait_for(asyncio.gather(*calls), DEADLINE_SECONDS)
                assert machine.running
            assert [result.messages[0].data for result in results if result.ok] == [str(n) for n in range(600)]
            machine.ask_to_end()
            await until(lambda: not machine.running, "it ended")
            assert machine.exit_code == 0
        finally:
            machine.kill()


async def test_sentinels_that_do_not_answer_are_told_in_words() -> None:
    url = "sentinel://127.0.0.1:1;sentinel://127.0.0.1:2/0?master_name=main"
    client = open_redis(url)
    known = "No master found for 'main': does a sentinel answer there"
    with pytest.raises(BrokerUnavailableError, match=known) as told, broker_errors(url):
        await client.ping()
    await client.aclose()
    assert "ConnectionPool" not in str(told.value)
