"""No operation waits behind a long one while another machine could carry it out."""

import asyncio
import contextlib
from collections.abc import Callable

import psutil
import pytest
import redis

from producer.client import Client
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.stack.machine import Machine
from tests.integration.redelivery.conftest import StartMachine
from tests.waiting import DEADLINE_SECONDS, until

_ENDLESS_SECONDS = 1000.0
_NO_LOSS = {"WORKER_SIZE": "1", "REDELIVERY_LEASE_SECONDS": "60"}  # nor where a busy machine stops a worker for seconds


async def _warm_up(fleet: Client) -> None:
    """Short operations, so that every worker takes more than it has REPLs."""
    await asyncio.gather(*(fleet.run_code(f"%say {number}") for number in range(40)))


async def test_what_was_taken_behind_a_long_operation_goes_to_a_machine_that_is_idle(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine
) -> None:
    start_machine(**_NO_LOSS)
    async with Client(settings) as fleet:
        await _warm_up(fleet)
        calls = [asyncio.ensure_future(fleet.run_code("%hang", timeout_seconds=_ENDLESS_SECONDS)) for _ in range(2)]
        calls.append(asyncio.ensure_future(fleet.run_code("%say third")))
        await until(
            lambda: (broker.zcard(keys.leases), broker.llen(keys.queue)) == (1, 2),
            "it has one, and has handed back the next",
        )
        assert not any(int(count) for count in broker.hvals(keys.losses))
        start_machine(**_NO_LOSS | {"WORKER_SIZE": "2"})
        assert (await asyncio.wait_for(calls[2], DEADLINE_SECONDS)).attempt == 1
        for call in calls:
            call.cancel()


@pytest.mark.parametrize("machines", [2, 3])
async def test_all_but_one_machine_go_on_while_one_is_held_up(
    settings: Settings, start_machine: StartMachine, machines: int
) -> None:
    for _ in range(machines):
        start_machine(**_NO_LOSS)
    async with Client(settings) as fleet:
        for _ in range(3):
            await _warm_up(fleet)
            endless = [
                asyncio.ensure_future(fleet.run_code("%hang", timeout_seconds=_ENDLESS_SECONDS))
                for _ in range(machines - 1)
            ]
            short = [fleet.run_code(f"%say {number}") for number in range(20)]
            assert all(
                result.attempt == 1 for result in await asyncio.wait_for(asyncio.gather(*short), DEADLINE_SECONDS)
            )
            for call in endless:
                call.cancel()


async def test_what_finds_every_machine_at_long_work_stays_in_the_queue(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    machines = [start_machine(**_NO_LOSS) for _ in range(2)]
    async with Client(settings) as fleet:
        await _warm_up(fleet)
        code = "%fork\n%hang"
        endless = [asyncio.ensure_future(fleet.run_code(code, timeout_seconds=_ENDLESS_SECONDS)) for _ in range(2)]
        # One may have taken both of them, and hand one back: meanwhile the other could answer what comes next.
        await until(lambda: all(map(_has_forked, machines)), "each runs one")
        waiting = [asyncio.ensure_future(fleet.run_code(f"%say {number}")) for number in range(3)]
        await until(lambda: (broker.zcard(keys.leases), broker.llen(keys.queue)) == (2, 3), "both hold one")
        asked, swept = _calls(broker, "blmove"), _calls(broker, "eval")
        await until(lambda: _calls(broker, "eval") > swept + 4, "leases are looked after meanwhile")
        assert _calls(broker, "blmove") == asked, "nobody asks for work without a REPL for it"
        for call in endless:
            call.cancel()
        assert [result.messages[0].data for result in await asyncio.gather(*waiting)] == ["0", "1", "2"]
        await until(nothing_left, "all is done")


def _has_forked(machine: Machine) -> bool:
    """Whether a REPL of it has begun with `%fork`."""
    assert machine.pid is not None
    for process in psutil.Process(machine.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "import time; time.sleep(3600)" in process.cmdline():
                return True
    return False


def _calls(broker: redis.Redis, command: str) -> int:
    return int(broker.info("commandstats")[f"cmdstat_{command}"]["calls"])
