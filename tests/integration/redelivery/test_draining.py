"""Workers that are told of their end: no work is lost with them, and none waits for a lease to end."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import redis

from producer.client import Client
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.stack.machine import Machine
from tests.integration.redelivery.conftest import StartMachine
from tests.integration.states.test_keepsakes import DEAR
from tests.machines import paused_repls, worker_environ
from tests.metadata import SPOT_ACTION, metadata_service
from tests.waiting import until


async def test_what_does_not_finish_within_the_grace_is_back_in_the_queue(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine
) -> None:
    machine = start_machine(REDELIVERY_GRACE_SECONDS="1", REDELIVERY_LEASE_SECONDS="60")
    async with Client(settings) as fleet:
        calls = [asyncio.ensure_future(fleet.run_code("%hang", timeout_seconds=1000)) for _ in range(6)]
        await until(lambda: broker.zcard(keys.leases) == 2, "its REPLs have work")
        machine.ask_to_end()
        # A lease of a minute cannot have ended: this is the worker's own doing.
        await until(lambda: broker.llen(keys.queue) == 6, "all is back in the queue")
        assert not broker.exists(keys.leases, keys.leased)
        assert not any(int(count) for count in broker.hvals(keys.losses))
        await until(lambda: not machine.running, "it ended")
        for call in calls:
            call.cancel()
    assert machine.exit_code == 0
    assert not broker.exists(keys.consumers)


async def test_what_finishes_within_the_grace_is_answered(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    machine = start_machine(REDELIVERY_GRACE_SECONDS="30")
    async with Client(settings) as fleet:
        calls = [asyncio.ensure_future(fleet.run_code(f"%sleep 3\n%say {number}")) for number in range(2)]
        await until(lambda: broker.zcard(keys.leases) == 2, "it works on both")
        machine.ask_to_end()
        results = await asyncio.gather(*calls)
        assert [result.messages[0].data for result in results] == ["0", "1"]
        await until(lambda: not machine.running, "it ended, long before the grace is over")
    assert machine.exit_code == 0
    assert nothing_left()


async def test_nothing_is_taken_any_more(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine
) -> None:
    machine = start_machine(REDELIVERY_GRACE_SECONDS="30")
    async with Client(settings) as fleet:
        running = asyncio.ensure_future(fleet.run_code("%sleep 3"))
        await until(lambda: broker.zcard(keys.leases) == 1, "it works")
        machine.ask_to_end()
        await until(lambda: "draining (SIGTERM)" in machine.log(), "it heard")
        late = asyncio.ensure_future(fleet.run_code("theorem t : True := trivial"))
        await running
        await until(lambda: broker.llen(keys.queue) == 1, "it waits")
        await until(lambda: not machine.running, "it ended")
        await until(lambda: broker.llen(keys.queue) == 1, "the other one waits")
        start_machine()
        await late


def _has_heard(machine: Machine, count: int) -> bool:
    return machine.log().count("draining") == count


@pytest.mark.parametrize(
    "signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGQUIT,)]
)
async def test_a_second_signal_means_now(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine, signals: tuple[int, ...]
) -> None:
    machine = start_machine(REDELIVERY_GRACE_SECONDS="600", REDELIVERY_LEASE_SECONDS="60")
    async with Client(settings) as fleet:
        call = asyncio.ensure_future(fleet.run_code("%sleep 600", timeout_seconds=1000))
        await until(lambda: broker.zcard(keys.leases) == 1, "it works")
        for count, number in enumerate(signals, start=1):
            machine.signal(number)
            await until(partial(_has_heard, machine, count), "it heard")
        await until(lambda: not machine.running, "it ended")
        assert broker.llen(keys.queue) == 1
        call.cancel()


async def test_calls_that_were_given_up_are_not_begun(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    async with Client(settings) as fleet:
        given_up = asyncio.ensure_future(fleet.run_code("%sleep 600", timeout_seconds=1000))
        await until(lambda: broker.llen(keys.queue) == 1, "it is in the queue")
        given_up.cancel()
        await asyncio.wait([given_up])
        await until(lambda: broker.zcard("leanfleet:revoked") > 0, "workers are told")
        start_machine()
        result = await fleet.run_code("%say next")
        assert [message.data for message in result.messages] == ["next"]
        await until(nothing_left, "nothing is left on the broker")


async def test_what_is_past_its_deadline_is_not_begun(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    async with Client(settings) as fleet:
        call = asyncio.ensure_future(fleet.run_code("%sleep 600", timeout_seconds=1000, deadline_seconds=2))
        await until(lambda: broker.llen(keys.queue) == 1, "it is in the queue")
        assert (await call).outcome == "lost"
        assert broker.llen(keys.queue) == 1
        start_machine()
        await until(nothing_left, "it was dropped")


async def test_a_notice_of_preemption_drains_within_the_time_that_it_leaves(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine
) -> None:
    with metadata_service() as metadata:
        machine = start_machine(
            MACHINE_PROVIDER="aws",
            MACHINE_METADATA_URL=metadata.url,
            REDELIVERY_GRACE_SECONDS="600",
            REDELIVERY_LEASE_SECONDS="60",
        )
        async with Client(settings) as fleet:
            call = asyncio.ensure_future(fleet.run_code("%sleep 600", timeout_seconds=1000))
            await until(lambda: broker.zcard(keys.leases) == 1, "it works")
            metadata.pages[SPOT_ACTION] = '{"action": "terminate", "time": "2017-09-18T08:22:00Z"}'
            await until(lambda: broker.llen(keys.queue) == 1, "the work is back in the queue")
            await until(lambda: not machine.running, "it ended")
            call.cancel()
    assert "draining (AWS will terminate this machine)" in machine.log()
    assert machine.exit_code == 0


async def test_an_ordered_drain_finishes_everything_and_the_worker_stays(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine, tmp_path: Path
) -> None:
    name = f"host-{settings.queue}"
    machine = start_machine(MACHINE_ID=name, REDELIVERY_LEASE_SECONDS="60")
    command = [sys.executable, "-m", "leanfleet", "drain", name]
    environ = worker_environ(settings.broker_url, settings.queue)
    async with Client(settings) as fleet:
        running = asyncio.ensure_future(fleet.run_code("%sleep 2\n%say done", timeout_seconds=1000))
        await until(lambda: broker.zcard(keys.leases) == 1, "it works")
        with paused_repls(machine.pid):
            await asyncio.to_thread(subprocess.run, command, env=environ, cwd=tmp_path, check=True)
            await until(lambda: "ordered to drain" in machine.log(), "it heard")
            late = asyncio.ensure_future(fleet.run_code("%say late"))
            await until(lambda: broker.llen(keys.queue) == 1, "it waits")
        assert (await running).messages[0].data == "done"
        assert machine.running
        assert broker.llen(keys.queue) == 1
        start_machine()
        assert (await late).messages[0].data == "late"


def test_a_machine_that_is_not_there_is_not_drained(settings: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "leanfleet", "drain", "nowhere"]
    environ = worker_environ(settings.broker_url, settings.queue)
    result = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "no worker reports from 'nowhere'" in result.stderr


async def test_states_that_were_dear_to_reach_are_stored_before_a_worker_ends(
    settings: Settings, start_machine: StartMachine, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    machine = start_machine(
        WORKER_REPL_COMMAND="",  # the embedded Lean
        STORE_URL=store.as_uri(),
        WORKER_BLOB_KEYS="a key for the tests only",
        WORKER_EXPORT_AFTER_SECONDS="0.01",
        REDELIVERY_GRACE_SECONDS="60",
    )
    async with Client(settings) as fleet:
        result = await fleet.run_code(DEAR)
        state = result.sorries[0].state
        assert state is not None
        assert not list(store.rglob("*"))
        machine.ask_to_end()
        await until(lambda: not machine.running, "it has ended")
    assert machine.exit_code == 0
    assert state.id in {path.name for path in (store / "exports").rglob("*")}
