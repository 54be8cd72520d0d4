"""Our channel of kombu's, on a real server: what only the two together can get wrong."""

import asyncio
import base64
import contextlib
import json
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, cast
from urllib.parse import urlsplit

import kombu
import msgspec
import pytest
import redis

from producer.envelope import CallHeader, redis_envelope, task_message
from producer.lane import Lane
from producer.operation import RunCode
from producer.publisher import PUBLISH, lane_entry
from producer.settings import Settings
from tasks.redelivery.connection import LeaseConnection
from tasks.redelivery.dead import DeadLetter, dead_key
from tasks.redelivery.keeper import Keeper
from tasks.redelivery.keys import QueueKeys
from tests.chaos.proxy import Proxy
from tests.waiting import wait_until


class Taker:
    """A consumer of the test's queue, and what it was given."""

    def __init__(self, connection: kombu.Connection, queue: str) -> None:
        self.connection = connection
        self.messages: list[Any] = []
        self.consumer = connection.Consumer(
            kombu.Queue(queue, kombu.Exchange(""), routing_key=queue), on_message=self.messages.append
        )
        self.consumer.consume()
        self.channel: Any = self.consumer.channel

    def take(self, count: int) -> None:
        while len(self.messages) < count:
            with contextlib.suppress(socket.timeout):
                self.connection.drain_events(timeout=1)


@pytest.fixture
def taker(settings: Settings) -> Iterator[Taker]:
    with LeaseConnection(settings.broker_url) as connection:
        yield Taker(connection, settings.queue)


def push(broker: redis.Redis, queue: str) -> None:
    header = CallHeader(reply_to="me", enqueued_at=time.time())
    message = task_message(str(uuid.uuid4()), RunCode(code="x"), header, sent_by="test")
    broker.lpush(queue, redis_envelope(message, queue))


def publish(broker: redis.Redis, queue: str) -> str:
    """Through a lane, as our client does; returns the message's id."""
    header = CallHeader(reply_to="me", enqueued_at=time.time())
    message = task_message(str(uuid.uuid4()), RunCode(code="x"), header, sent_by="test")
    lane = Lane(queue, "bulk", "producer")
    broker.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, lane.producer, lane_entry(message, queue))
    return message.id


def test_a_server_that_forgot_its_scripts_is_told_them_again(
    taker: Taker, broker: redis.Redis, settings: Settings
) -> None:
    publish(broker, settings.queue)
    taker.take(1)
    broker.script_flush()
    for _ in range(2):
        publish(broker, settings.queue)
    taker.take(3)


def test_a_whole_message_has_its_turn_among_those_of_lanes(
    taker: Taker, broker: redis.Redis, settings: Settings
) -> None:
    """What was handed back, which is taken next, or came by Celery's own API."""
    publish(broker, settings.queue)
    taker.take(1)
    publish(broker, settings.queue)
    taker.messages[0].reject(requeue=True)
    taker.take(3)
    first, again, other = (message.headers["id"] for message in taker.messages)
    assert again == first != other


@pytest.mark.parametrize("entry", [b"\xff\xfe x", b"\xff", b" x", b"x", b"", b"0123-abcd {}"])
def test_what_no_client_puts_in_a_lane_is_a_dead_letter_and_harms_no_other(
    taker: Taker, broker: redis.Redis, keys: QueueKeys, settings: Settings, entry: bytes
) -> None:
    lane = Lane(settings.queue, "bulk", "producer")
    broker.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, lane.producer, entry)
    publish(broker, settings.queue)
    taker.take(1)
    assert broker.llen(dead_key(settings.queue)) == 1
    taker.messages[0].ack()
    assert not broker.exists(keys.queue, keys.leased, keys.leases, keys.losses)


def test_a_message_that_celery_cannot_take_is_kept_whole_among_the_dead(
    taker: Taker, broker: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("what nobody thought of")

    monkeypatch.setattr(taker.channel.connection, "_deliver", fail)
    sent = publish(broker, settings.queue)
    while not broker.llen(dead_key(settings.queue)):
        with contextlib.suppress(socket.timeout):
            taker.connection.drain_events(timeout=1)
    letter = msgspec.json.decode(cast("bytes", broker.lindex(dead_key(settings.queue), 0)), type=DeadLetter)
    assert json.loads(base64.b64decode(letter.raw))["headers"]["id"] == sent


def test_what_is_taken_again_while_it_is_handed_back_is_held_like_any_other(
    taker: Taker, broker: redis.Redis, keys: QueueKeys, settings: Settings
) -> None:
    push(broker, settings.queue)
    taker.take(1)
    hand_back = taker.channel._hand_back

    def and_take_again(**arguments: Any) -> None:
        hand_back(**arguments)
        taker.take(2)

    taker.channel._hand_back = and_take_again
    taker.messages[0].reject(requeue=True)
    tag = taker.messages[1].delivery_tag
    assert tag == taker.messages[0].delivery_tag
    # Held by whom the keeper asks, or its lease would not be renewed.
    assert set(taker.channel.leased_tags) == {tag}
    taker.messages[1].ack()
    assert not broker.exists(keys.leased, keys.leases, keys.losses, keys.queue)


def test_what_a_server_does_not_take_back_is_left_to_its_lease(
    taker: Taker, broker: redis.Redis, keys: QueueKeys, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk (MISCONF) or a failover (READONLY): errors that are no connection's, here one that is easily had."""
    push(broker, settings.queue)
    taker.take(1)
    broker.rename(keys.leased, keys.leased + "-apart")
    broker.set(keys.leased, "no hash")
    taker.messages[0].reject(requeue=True)
    assert "its lease will end" in caplog.text
    assert not taker.channel.leased_tags  # or it would be renewed
    broker.rename(keys.leased + "-apart", keys.leased)


@pytest.mark.parametrize("how", ["ack", "reject"])
async def test_what_could_not_be_acknowledged_is_held_and_acknowledged_later(
    broker: redis.Redis, keys: QueueKeys, settings: Settings, how: str
) -> None:
    """Also where the broker was away for so long that the connection is another one by then."""
    push(broker, settings.queue)
    # The proxy runs on this loop, and kombu waits in its own threads.
    async with Proxy(urlsplit(settings.broker_url).port or 0) as proxy, AsyncExitStack() as stack:

        async def open_taker() -> Taker:
            connection = LeaseConnection(f"redis://127.0.0.1:{proxy.port}/0")
            stack.push_async_callback(asyncio.to_thread, connection.release)
            return await asyncio.to_thread(Taker, connection, settings.queue)

        taker = await open_taker()
        await asyncio.to_thread(taker.take, 1)
        await proxy.cut()
        await asyncio.to_thread(getattr(taker.messages[0], how))
        tag = taker.messages[0].delivery_tag
        assert taker.channel.owed == {tag}
        assert set(taker.channel.leased_tags) == {tag}  # its lease is renewed, and nobody runs it again
        await proxy.mend()
        successor = await open_taker()
        successor.channel.take_over(taker.channel)
        assert set(successor.channel.leased_tags) == {tag}
        await asyncio.to_thread(successor.channel.pay)
        assert not successor.channel.owed
        assert not successor.channel.leased_tags
        assert not broker.exists(keys.queue, keys.leased, keys.leases, keys.losses)


def test_leases_are_renewed_whatever_the_server_says_to_what_is_owed(
    taker: Taker, broker: redis.Redis, keys: QueueKeys, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(broker, settings.queue)
    taker.take(1)
    tag = taker.messages[0].delivery_tag
    broker.zadd(keys.leases, {tag: 0})

    def refused() -> None:
        raise redis.ResponseError("NOPERM")

    monkeypatch.setattr(taker.channel, "pay", refused)
    keeper = Keeper(lease_seconds=10_000_000_000, max_lease_seconds=60)  # so that no sweep takes the old one
    keeper.attach(taker.channel, broker)
    try:
        wait_until(lambda: broker.zscore(keys.leases, tag), "the lease is renewed")
    finally:
        keeper.stop()
