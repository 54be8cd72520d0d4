"""What nobody waits for any more makes room: where it waits for a REPL, and where it has one."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import Callable, Iterator

import msgspec
import pytest
import redis

from producer.client import Client
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tests.integration.redelivery.conftest import StartMachine
from tests.machines import worker_environ
from tests.waiting import DEADLINE_SECONDS, until

_ENDLESS_SECONDS = 1000.0


@pytest.fixture
def revoked_events(broker: redis.Redis) -> Iterator[Callable[[], int]]:
    """How many operations Flower was told to be revoked so far."""
    with broker.pubsub(ignore_subscribe_messages=True) as events:  # type: ignore[no-untyped-call] # redis-py left it untyped
        events.psubscribe("*celeryev/task.*")
        assert events.get_message(timeout=5) is None
        count = 0

        def look() -> int:
            nonlocal count
            while (message := events.get_message()) is not None:
                body = base64.b64decode(msgspec.json.decode(message["data"])["body"])
                found = msgspec.json.decode(body)
                told = found if isinstance(found, list) else [found]
                count += sum(event["type"] == "task-revoked" for event in told)
            return count

        yield look


async def test_calls_that_are_given_up_are_ended_where_they_wait_and_where_they_run(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    start_machine(WORKER_SIZE="1")
    async with Client(settings) as fleet:
        # A short one first, after which the worker takes more than it has REPLs.
        await fleet.run_code("%say first")
        calls = [asyncio.ensure_future(fleet.run_code("%hang", timeout_seconds=_ENDLESS_SECONDS)) for _ in range(4)]
        await until(lambda: broker.zcard(keys.leases) >= 1, "some are at work")
        for call in calls:
            call.cancel()
        result = await asyncio.wait_for(fleet.run_code("%say next"), DEADLINE_SECONDS)
        assert [message.data for message in result.messages] == ["next"]
        await until(nothing_left, "all were acknowledged")
        assert broker.llen(f"leanfleet:reply:{fleet.id}") == 0


async def test_flower_shows_as_revoked_what_was_ended(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    revoked_events: Callable[[], int],
) -> None:
    start_machine(events=True, WORKER_SIZE="1")
    async with Client(settings) as fleet:
        call = asyncio.ensure_future(fleet.run_code("%hang", timeout_seconds=_ENDLESS_SECONDS))
        await until(lambda: broker.zcard(keys.leases) == 1, "it is at work")
        call.cancel()
        await until(lambda: revoked_events() == 1, "it is shown as revoked")


async def test_a_call_whose_deadline_passes_is_ended_where_it_runs(
    settings: Settings, start_machine: StartMachine, nothing_left: Callable[[], bool]
) -> None:
    start_machine(WORKER_SIZE="1")
    async with Client(settings) as fleet:
        late = asyncio.ensure_future(fleet.run_code("%hang", deadline_seconds=2, timeout_seconds=_ENDLESS_SECONDS))
        result = await asyncio.wait_for(fleet.run_code("%say next"), DEADLINE_SECONDS)
        assert [message.data for message in result.messages] == ["next"]
        assert (await late).outcome == "lost"
        await until(nothing_left, "it was acknowledged")


async def test_an_operator_ends_what_runs_and_what_waits_and_their_callers_are_told(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    machine = start_machine(WORKER_SIZE="1")
    environ = worker_environ(settings.broker_url, settings.queue)

    def order(*words: str) -> None:
        # By itself it waits for a second only, and then it waits no longer than for the one that is named.
        patience = (f"--timeout={DEADLINE_SECONDS:g}", f"--destination={machine.id}@{machine.id}")
        command = [sys.executable, "-P", "-m", "tasks", "control", *patience, *words]
        subprocess.run(command, env=environ, cwd=machine.log_path.parent, check=True, capture_output=True)

    async with Client(settings) as fleet:
        running = fleet.submit(RunCode(code="%hang", timeout_seconds=_ENDLESS_SECONDS))
        await until(lambda: broker.zcard(keys.leases) == 1, "it is at work")
        waiting = fleet.submit(RunCode(code="%hang", timeout_seconds=_ENDLESS_SECONDS))
        await asyncio.to_thread(order, "revoke", waiting.id)
        await asyncio.to_thread(order, "terminate", "SIGTERM", running.id)
        ended = await asyncio.wait_for(asyncio.gather(running, waiting), DEADLINE_SECONDS)
        assert [(each.outcome, each.reason) for each in ended] == [
            (Outcome.LOST, "an operator ended it"),
            (Outcome.LOST, "an operator revoked it"),
        ]
        assert (await asyncio.wait_for(fleet.run_code("%say next"), DEADLINE_SECONDS)).ok
    await until(nothing_left, "all were acknowledged")
    assert "NotImplementedError" not in machine.log()
