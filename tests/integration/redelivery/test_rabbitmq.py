"""What is special about RabbitMQ: who counts deliveries, and how a worker that lives gives them back."""

import asyncio
import contextlib
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import amqp
import psutil
import pytest
import redis

from producer.call import Call
from producer.client import Client
from producer.envelope import CallHeader, task_message
from producer.errors import BrokerRefusedError, BrokerUnavailableError
from producer.lane import Lane
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.publisher import open_publisher
from producer.quorum import QUEUE_ARGUMENTS
from producer.requirements import Level
from producer.settings import Settings
from tasks.rabbitmq import check_rabbit
from tasks.redelivery.dead import dead_key
from tasks.stack.machine import Machine
from tasks.stack.ports import HOST, free_port
from tasks.stack.valkey import Valkey
from tests.integration.redelivery.conftest import StartMachine
from tests.machines import paused_repls, scripted_repls, worker_environ
from tests.rabbitmq import RabbitMQ
from tests.waiting import DEADLINE_SECONDS, until, wait_until

LANE = Lane("q", "bulk", "me")
_BALLAST_BYTES = 50_000_000


@pytest.fixture
def settings(rabbitmq: RabbitMQ, valkey: Valkey) -> Settings:
    return Settings(
        broker_url=rabbitmq.url,
        result_url=valkey.url,
        queue=f"queue-{uuid.uuid4().hex[:8]}",
        resend_seconds=3600.0,
    )


@pytest.fixture
def waiting(rabbitmq: RabbitMQ, settings: Settings) -> Callable[[], int]:
    return lambda: rabbitmq.depth(settings.queue)


async def _begun(calls: Sequence[Call[Any]], waiting: Callable[[], int]) -> None:
    """Until workers have all of them."""
    await until(lambda: all(call.tries for call in calls) and waiting() == 0, "all are published and taken")


def _loaded(machine: Machine) -> int:
    """How many of its REPLs hold what `%allocate` had them hold: they have begun."""
    assert machine.pid is not None
    loaded = 0
    for repl in scripted_repls(machine.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            loaded += repl.memory_info().rss > _BALLAST_BYTES
    return loaded


async def test_what_a_killed_worker_held_is_run_by_another(
    settings: Settings, start_machine: StartMachine, waiting: Callable[[], int]
) -> None:
    doomed = start_machine(WORKER_SIZE="4")  # none waits for a REPL, and is just being handed back when it is killed
    async with Client(settings) as fleet:
        calls = [fleet.submit(RunCode(code=f"%sleep 6\n%say {number}")) for number in range(4)]
        await _begun(calls, waiting)
        doomed.kill()
        start_machine()
        results = await asyncio.gather(*calls)
    assert [result.messages[0].data for result in results] == ["0", "1", "2", "3"]
    assert {result.attempt for result in results} == {2}


async def test_a_drain_gives_back_what_does_not_finish_and_counts_no_loss(
    settings: Settings, start_machine: StartMachine, waiting: Callable[[], int]
) -> None:
    async with Client(settings) as fleet:
        calls = [fleet.submit(RunCode(code=f"%allocate {_BALLAST_BYTES}\n%sleep 8\n%say done")) for _ in range(2)]
        for _ in range(2):
            machine = start_machine(REDELIVERY_GRACE_SECONDS="0.5", REDELIVERY_MAX_WORKER_LOSSES="1")
            # What a worker was sent and has not read when it is told to end, RabbitMQ counts as it counts losses.
            await until(lambda machine=machine: _loaded(machine) == 2, "both are at work")  # type: ignore[misc] # bound
            machine.ask_to_end()
            await until(lambda machine=machine: not machine.running, "it ended")  # type: ignore[misc] # bound above
            assert machine.exit_code == 0
            await until(lambda: waiting() == 2, "both are back")  # a moment after their connection's end
        start_machine(REDELIVERY_MAX_WORKER_LOSSES="1")
        results = await asyncio.gather(*calls)
    assert [result.messages[0].data for result in results] == ["done", "done"]
    assert [result.attempt for result in results] == [1, 1]


async def test_a_worker_that_drains_takes_nothing_more_and_answers_what_it_has(
    settings: Settings, start_machine: StartMachine, waiting: Callable[[], int]
) -> None:
    machine = start_machine(REDELIVERY_GRACE_SECONDS="30")
    async with Client(settings) as fleet:
        running = fleet.submit(RunCode(code=f"%allocate {_BALLAST_BYTES}\n%sleep 3\n%say done"))
        # What is on its way to a worker when that is told to end goes back.
        await until(lambda: _loaded(machine) == 1, "it is at work")
        machine.ask_to_end()
        await until(lambda: "draining (SIGTERM)" in machine.log(), "it heard")
        late = fleet.submit(RunCode(code="%say late"))
        assert (await running).messages[0].data == "done"
        await until(lambda: not machine.running, "it ended")
        assert machine.exit_code == 0
        await until(lambda: waiting() == 1, "the other one waits")
        start_machine()
        assert (await late).attempt == 1


async def test_an_ordered_drain_finishes_everything_and_the_worker_stays(
    settings: Settings, start_machine: StartMachine, waiting: Callable[[], int], tmp_path: Path
) -> None:
    name = f"host-{settings.queue}"
    machine = start_machine(MACHINE_ID=name)
    command = [sys.executable, "-m", "leanfleet", "drain", name]
    environ = worker_environ(settings.broker_url, settings.queue, RESULT_URL=settings.result_url)
    async with Client(settings) as fleet:
        running = fleet.submit(RunCode(code="%sleep 2\n%say done", timeout_seconds=1000))
        await _begun([running], waiting)
        with paused_repls(machine.pid):
            await asyncio.to_thread(subprocess.run, command, env=environ, cwd=tmp_path, check=True)
            await until(lambda: "ordered to drain" in machine.log(), "it heard")
            late = fleet.submit(RunCode(code="%say late"))
            await until(lambda: waiting() == 1, "it waits")
        assert (await running).messages[0].data == "done"
        assert machine.running
        assert waiting() == 1
        start_machine()
        assert (await late).attempt == 1


async def test_what_ends_after_its_connection_is_a_word_in_the_log_and_answered_once(
    settings: Settings, start_machine: StartMachine, waiting: Callable[[], int], rabbitmq: RabbitMQ
) -> None:
    machine = start_machine()
    async with Client(settings) as fleet:
        with paused_repls(machine.pid):  # before it is sent: it is not done too soon
            running = fleet.submit(RunCode(code="%sleep 2\n%say done", timeout_seconds=1000))
            await _begun([running], waiting)
            await asyncio.to_thread(rabbitmq.close_connections)
        assert (await running).messages[0].data == "done"
        await until(lambda: "its second answer is dropped" in machine.log(), "it says so")
        await until(lambda: rabbitmq.messages(settings.queue) == 0, "the second one is acknowledged")
    assert "CRITICAL" not in machine.log()


async def test_a_hung_delivery_goes_to_others(
    settings: Settings, start_machine: StartMachine, waiting: Callable[[], int]
) -> None:
    hung = start_machine(REDELIVERY_LEASE_SECONDS="1", REDELIVERY_MAX_LEASE_SECONDS="2")
    async with Client(settings) as fleet:
        call = fleet.submit(RunCode(code="%sleep 6\n%say done"))
        await _begun([call], waiting)
        with paused_repls(hung.pid):  # or it might be done first
            await until(lambda: "was held for longer than max_lease_seconds" in hung.log(), "it is given back")
        assert (await call).messages[0].data == "done"
    assert hung.running


async def test_an_operation_that_takes_its_workers_down_ends_among_the_dead_letters(
    settings: Settings, start_machine: StartMachine, waiting: Callable[[], int], broker: redis.Redis
) -> None:
    async with Client(settings) as fleet:
        call = fleet.submit(RunCode(code="%sleep 30"))
        for _ in range(2):
            machine = start_machine(REDELIVERY_MAX_WORKER_LOSSES="2")
            await _begun([call], waiting)
            machine.kill()
        start_machine(REDELIVERY_MAX_WORKER_LOSSES="2")
        result = await call
    assert result.outcome is Outcome.REPL_DIED
    assert "2 workers vanished" in result.reason
    assert broker.llen(dead_key(settings.queue)) == 1


async def test_what_is_published_is_there_when_publishing_returns(settings: Settings, rabbitmq: RabbitMQ) -> None:
    publisher = open_publisher(settings.broker_url)
    header = CallHeader(reply_to="me", enqueued_at=0.0)
    messages = [task_message(str(uuid.uuid4()), RunCode(code="x"), header, sent_by="test") for _ in range(2500)]
    try:
        await publisher.publish(Lane(settings.queue, "bulk", "me"), messages)
        assert await publisher.backlog(Lane(settings.queue, "bulk", "me")) == 2500
        assert rabbitmq.depth(settings.queue) == 2500
    finally:
        await publisher.close()


async def test_a_queue_of_another_kind_a_wrong_password_and_nobody_there_are_told_apart(
    settings: Settings, rabbitmq: RabbitMQ
) -> None:
    with amqp.Connection(f"{HOST}:{rabbitmq.port}") as connection:
        connection.channel().queue_declare(settings.queue, durable=True, auto_delete=False)
    for url, error, words in (
        (settings.broker_url, BrokerRefusedError, "of another kind"),
        (f"amqp://guest:wrong@{HOST}:{rabbitmq.port}//", BrokerRefusedError, "check user and password"),
        (f"amqp://guest:guest@{HOST}:{rabbitmq.port}/nowhere", BrokerRefusedError, "check the virtual host"),
        (f"amqp://guest:guest@{HOST}:{free_port()}//", BrokerUnavailableError, "cannot be used"),
    ):
        publisher = open_publisher(url)
        try:
            with pytest.raises(error, match=words):
                await publisher.publish(Lane(settings.queue, "bulk", "me"), [])
        finally:
            await publisher.close()


async def test_a_broker_that_restarts_in_between_loses_nothing_that_was_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.rabbitmq.CONFIRM_SECONDS", 2.0)
    header = CallHeader(reply_to="me", enqueued_at=0.0)
    message = task_message(str(uuid.uuid4()), RunCode(code="x"), header, sent_by="test")
    with RabbitMQ(tmp_path / "rabbitmq") as server:
        publisher = open_publisher(server.url)

        async def publish_as_a_client_does(count: int) -> None:
            while True:
                with contextlib.suppress(BrokerUnavailableError):
                    await publisher.publish(LANE, [message] * count)
                    return

        try:
            # A queue that was made in the seconds before a kill of its only node is lost with it, as RabbitMQ writes
            # down late where its queues are. This one is known after a stop in good order.
            await asyncio.wait_for(publish_as_a_client_does(0), DEADLINE_SECONDS)
            await asyncio.to_thread(server.stop, grace_seconds=DEADLINE_SECONDS)
            server.start()
            await asyncio.to_thread(server.wait_ready)
            await asyncio.wait_for(publish_as_a_client_does(1), DEADLINE_SECONDS)
            await asyncio.wait_for(publish_as_a_client_does(99), DEADLINE_SECONDS)
            server.kill()
            with pytest.raises(BrokerUnavailableError):
                await publisher.publish(LANE, [message])
            server.start()
            await asyncio.to_thread(server.wait_ready)
            await asyncio.wait_for(publish_as_a_client_does(1), DEADLINE_SECONDS)
            assert await publisher.backlog(LANE) >= 101
        finally:
            await publisher.close()


def test_a_worker_does_not_start_on_a_queue_of_another_kind(
    rabbitmq: RabbitMQ, settings: Settings, start_machine: StartMachine
) -> None:
    with amqp.Connection(rabbitmq.url.split("@")[1].rstrip("/")) as connection:
        connection.channel().queue_declare(settings.queue, durable=True, auto_delete=False)
    machine = start_machine(wait=False)
    wait_until(lambda: not machine.running, "it has given up")
    assert machine.exit_code == 2
    assert f"{settings.queue} is there and of another kind: delete it" in machine.log_tail()


def test_what_is_found_of_a_server_is_judged(rabbitmq: RabbitMQ, settings: Settings) -> None:
    findings = {each.subject: each for each in check_rabbit(rabbitmq.url, queue=settings.queue)}
    assert findings["broker"].level is Level.FINE
    assert "queue" not in findings  # and looking made none
    with amqp.Connection(rabbitmq.url.split("@")[1].rstrip("/")) as connection:
        with pytest.raises(amqp.exceptions.NotFound):
            connection.channel().queue_declare(settings.queue, passive=True)
        connection.channel().queue_declare(settings.queue, durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
    findings = {each.subject: each for each in check_rabbit(rabbitmq.url, queue=settings.queue)}
    assert findings["queue"].level is Level.FINE
    (refused,) = check_rabbit(rabbitmq.url.replace("guest:guest", "guest:wrong"), queue=settings.queue)
    assert (refused.level, refused.found.partition(" at ")[0]) == (Level.ERROR, "refused us")
    with pytest.raises(BrokerUnavailableError, match="cannot be reached"):
        check_rabbit(f"amqp://{HOST}:{free_port()}", queue=settings.queue)
