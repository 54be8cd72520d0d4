"""The same operation on two real workers at once: one of them runs it, and both callers are answered."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from producer.client import Client
from producer.outcome import Outcome
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.stack.machine import Machine
from tasks.stack.valkey import Valkey
from tests.machines import worker_environ
from tests.waiting import DEADLINE_SECONDS, until

CODE = "%sleep 2\n%say once"


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return Settings(broker_url=valkey.url, queue=f"queue-{uuid.uuid4().hex[:8]}", resend_seconds=3600.0)


@pytest.fixture
def broker(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        yield client


@pytest.fixture(autouse=True)
def _workers(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Two, with one REPL each, so that two operations cannot be on the same one."""
    ours = {"WORKER_SIZE": "1", "WORKER_SPARES": "0", "WORKER_ANSWER_TTL_SECONDS": "60"}
    ours["REDELIVERY_LEASE_SECONDS"] = "60"  # lost by no stop of a busy machine
    environ = worker_environ(settings.broker_url, settings.queue, RESULT_URL=settings.result_url, **ours)
    with ExitStack() as stack:
        machines = [Machine(f"machine{number}", directory=tmp_path, environ=environ) for number in range(2)]
        for machine in machines:
            stack.callback(machine.kill)
            machine.start()
        for machine in machines:
            machine.wait_ready()
        yield


async def test_what_two_workers_are_asked_at_once_is_run_once(settings: Settings, broker: redis.Redis) -> None:
    held = QueueKeys.of(settings.queue).leases
    code = f"{CODE} {uuid.uuid4().hex}"
    async with asyncio.timeout(DEADLINE_SECONDS), Client(settings) as fleet:
        calls = [asyncio.ensure_future(fleet.run_code(code)) for _ in range(2)]
        await until(lambda: broker.zcard(held) == 2, "each worker has one of the two")
        results = await asyncio.gather(*calls)
        assert [result.outcome for result in results] == [Outcome.OK, Outcome.OK]
        assert results[0].messages == results[1].messages
        assert sorted(result.cached for result in results) == [False, True]
        later = await fleet.run_code(code)
        assert (later.cached, later.messages) == (True, results[0].messages)


async def test_a_call_that_opts_out_is_run_by_whoever_is_asked(settings: Settings, broker: redis.Redis) -> None:
    held = QueueKeys.of(settings.queue).leases
    code = f"{CODE} {uuid.uuid4().hex}"
    async with asyncio.timeout(DEADLINE_SECONDS), Client(settings) as fleet:
        assert not (await fleet.run_code(code)).cached
        calls = [asyncio.ensure_future(fleet.run_code(code, fresh=True)) for _ in range(2)]
        await until(lambda: broker.zcard(held) == 2, "each worker has one of the two")
        assert [result.cached for result in await asyncio.gather(*calls)] == [False, False]
        hole = (await fleet.run_code("theorem a : 1 = 1 := by sorry")).sorries[0].state
        assert hole is not None
        for fresh, cached in ((False, False), (False, True), (True, False)):
            assert (await fleet.run_tactics(hole, ["rfl"], fresh=fresh)).cached is cached
            assert (await fleet.run_tactic(hole, "skip", fresh=fresh)).ok
