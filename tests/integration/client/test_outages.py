"""A broker that is away, slow, full or forgetful costs time and never a result."""

import asyncio
import logging
import signal
import threading

import pytest
import redis
from msgspec.structs import replace

from producer import connection, replies
from producer.client import Client
from producer.errors import BrokerRefusedError, BrokerUnavailableError
from producer.keys import reply_key
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply
from producer.result import AnyResult, RunCodeResult
from producer.settings import Settings
from tasks.redelivery.transport import LeaseChannel
from tasks.stack.ports import claim
from tasks.stack.valkey import Valkey
from tests.integration.client.responder import Delivery, Responder, echo
from tests.waiting import until

ANSWERED = RunCodeResult(outcome=Outcome.OK)


def numbered(count: int) -> list[RunCode]:
    return [RunCode(code=f"#eval {number}") for number in range(count)]


def answers(results: list[RunCodeResult]) -> list[str]:
    return [result.messages[0].data for result in results]


async def test_a_broker_that_is_down_at_the_start_is_an_error_after_some_tries(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = claim(None, option="")
    settings = Settings(broker_url=f"redis://me:secret@127.0.0.1:{port}/0", connect_attempts=3)
    tasks = asyncio.all_tasks()
    with pytest.raises(BrokerUnavailableError) as caught:
        async with Client(settings):
            pytest.fail("connected to nothing")
    assert f"redis://me:***@127.0.0.1:{port}/0" in caught.value.message
    assert "gave up after 3 tries" in caught.value.message
    assert "LEANFLEET_BROKER_URL" in caught.value.message
    assert len(caplog.records) == 2
    assert "secret" not in caplog.text + caught.value.message
    assert asyncio.all_tasks() == tasks


async def test_a_broker_that_comes_up_a_little_later_is_waited_for(broker: Valkey) -> None:
    broker.kill()
    client = Client(Settings(broker_url=broker.url, connect_attempts=50))
    entering = asyncio.create_task(client.__aenter__())
    await asyncio.sleep(0)
    broker.start()
    await entering
    await client.close()


async def test_a_wrong_password_is_said_at_once(broker: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    with redis.Redis.from_url(broker.url) as server:
        server.config_set("requirepass", "right")
    url = broker.url.replace("redis://", "redis://:wrong@")
    with pytest.raises(BrokerRefusedError, match="password") as caught:
        async with Client(Settings(broker_url=url)):
            pytest.fail("it let us in")
    assert not caplog.records
    assert "wrong@" not in caught.value.message


async def test_a_broker_that_dies_and_returns_costs_no_result(broker: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    def answer(delivery: Delivery) -> AnyResult:
        gate.wait(120)
        return echo(delivery.operation)

    with Responder(url=broker.url, answer=answer) as responder:
        async with Client(Settings(broker_url=broker.url, resend_seconds=1.0)) as fleet:
            before = [fleet.submit(replace(each, timeout_seconds=0.5)) for each in numbered(200)]
            await until(lambda: before[-1].sequence, "all are published")
            broker.kill()
            during = [fleet.submit(replace(each, timeout_seconds=0.5)) for each in numbered(200)]
            await until(lambda: "reading replies failed" in caplog.text, "the reader noticed")
            await until(lambda: "publishing failed" in caplog.text, "the publisher noticed")
            gate.set()
            broker.start()
            assert answers(await asyncio.gather(*before)) == answers(await asyncio.gather(*during))
            assert len(responder.deliveries) >= 400
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert sum("reading replies failed" in message for message in told) == 1
    assert sum("reading replies works again" in message for message in told) == 1


async def test_a_broker_that_dies_as_a_message_is_taken_costs_no_result(
    broker: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = LeaseChannel._receive_message

    def receive_late(channel: LeaseChannel, raw: bytes) -> bool:
        monkeypatch.undo()
        broker.kill()
        broker.start()
        return receive(channel, raw)

    monkeypatch.setattr(LeaseChannel, "_receive_message", receive_late)
    with Responder(url=broker.url):
        async with Client(Settings(broker_url=broker.url)) as fleet:
            assert (await fleet.run_code("x", deadline_seconds=60)).ok


async def test_a_client_knows_whether_it_waits_for_its_broker(broker: Valkey) -> None:
    async with Client(Settings(broker_url=broker.url)) as fleet:
        assert not fleet.is_waiting_for_broker
        broker.kill()
        await until(lambda: fleet.is_waiting_for_broker, "the broker is missed")
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(broker.wait_ready)
        await until(lambda: not fleet.is_waiting_for_broker, "the broker is found again")
    assert not fleet.is_waiting_for_broker


async def test_a_message_that_the_broker_lost_is_sent_again_under_its_id(broker: Valkey) -> None:
    def lose_the_first(_: Delivery) -> AnyResult | None:
        return None if len(responder.deliveries) == 1 else ANSWERED

    with Responder(url=broker.url, answer=lose_the_first) as responder:
        async with Client(Settings(broker_url=broker.url, resend_seconds=0.2)) as fleet:
            assert (await fleet.run_code("x", timeout_seconds=0.2)).ok
    first, second = responder.deliveries
    assert first.call_id == second.call_id
    assert first.operation == second.operation


async def test_a_broker_that_forgot_everything_costs_no_result(broker: Valkey) -> None:
    async with Client(Settings(broker_url=broker.url, resend_seconds=0.5)) as fleet:
        calls = [fleet.submit(replace(each, timeout_seconds=0.2)) for each in numbered(300)]
        await until(lambda: calls[-1].sequence, "all are published")
        with redis.Redis.from_url(broker.url) as server:
            server.flushall()
        with Responder(url=broker.url):
            assert len(answers(await asyncio.gather(*calls))) == 300


async def test_what_only_waits_in_a_long_queue_is_not_sent_again(broker: Valkey) -> None:
    async with Client(Settings(broker_url=broker.url, resend_seconds=0.1)) as fleet:
        calls = [fleet.submit(replace(each, timeout_seconds=0.05)) for each in numbered(20)]
        await until(lambda: calls[-1].sequence, "all are published")
        with redis.Redis.from_url(broker.url) as server:
            # Each look at the queue is an LLEN, and every one of them could have led to a second copy.
            def looks() -> int:
                statistics: dict[str, dict[str, int]] = server.info("commandstats")
                return statistics.get("cmdstat_llen", {}).get("calls", 0)

            await until(lambda: looks() >= 5, "the queue was looked at")
            assert server.llen("leanfleet") == 20


async def test_connections_that_break_while_replies_flow_lose_none(broker: Valkey) -> None:
    """With resending out of reach, only reading before removing can pass this."""
    with Responder(url=broker.url), redis.Redis.from_url(broker.url) as server:
        async with Client(Settings(broker_url=broker.url, resend_seconds=3600)) as fleet:
            calls = [fleet.submit(each) for each in numbered(3000)]
            kills = 0
            while not calls[-1].done() or kills < 5:
                # Ours alone: kombu's consumer loses what it has just popped when its own connection is cut.
                for each in server.client_list():
                    if each["name"] == "leanfleet-client":
                        kills += server.client_kill_filter(_id=each["id"])
                await asyncio.sleep(0.02)
            results = await asyncio.gather(*calls)
    assert answers(results) == [operation.code for operation in numbered(3000)]


async def test_a_full_broker_is_waited_for_and_its_replies_are_read(
    broker: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis.from_url(broker.url) as server:
        async with Client(Settings(broker_url=broker.url)) as fleet:
            answered = fleet.submit(RunCode(code="answered"))
            await until(lambda: answered.sequence, "it is published")
            server.config_set("maxmemory", 1)
            late = fleet.submit(RunCode(code="late"))
            await until(lambda: "publishing failed" in caplog.text, "the broker refused it")
            server.config_set("maxmemory", 0)
            pipe = server.pipeline()  # a reply that is there already when the memory is full again
            pipe.rpush(reply_key(fleet.id), encode_reply(Reply(call_id=answered.id, result=ANSWERED)))
            pipe.config_set("maxmemory", 1)
            pipe.execute()
            assert (await answered).ok
            assert not late.done()
            assert "reading replies failed" not in caplog.text
            server.config_set("maxmemory", 0)
            with Responder(url=broker.url):
                assert (await late).ok


async def test_a_silent_broker_is_taken_for_dead_and_found_again(
    broker: Valkey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a half-open connection: nobody refuses and nobody answers."""
    monkeypatch.setattr(connection, "READ_SECONDS", 1.5)
    monkeypatch.setattr(replies, "WAIT_SECONDS", 1)
    with Responder(url=broker.url):
        async with Client(Settings(broker_url=broker.url)) as fleet:
            assert (await fleet.run_code("before")).ok
            broker.signal(signal.SIGSTOP)
            call = fleet.submit(RunCode(code="meanwhile"))
            await until(lambda: "reading replies failed" in caplog.text, "the silence was noticed")
            broker.signal(signal.SIGCONT)
            assert (await call).ok


async def test_closing_does_not_wait_for_a_broker_that_is_gone(broker: Valkey) -> None:
    tasks = asyncio.all_tasks()
    async with Client(Settings(broker_url=broker.url)) as fleet:
        call = fleet.submit(RunCode(code="x"))
        await until(lambda: call.sequence, "it is published")
        broker.kill()
    assert call.exception() is not None
    assert asyncio.all_tasks() == tasks
