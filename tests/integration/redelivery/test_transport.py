"""Our channel of kombu's, on a real server: what only the two together can get wrong."""

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import kombu
import pytest
import redis

from producer.envelope import CallHeader, redis_envelope, task_message
from producer.operation import RunCode
from producer.settings import Settings
from tasks.redelivery.connection import LeaseConnection
from tasks.redelivery.keeper import Keeper
from tasks.redelivery.keys import QueueKeys
from tests.chaos.proxy import Proxy
from tests.waiting import wait_until


class Taker:
    """A consumer of the test's queue, and what it was given."""

    def __init__(self, connection: kombu.Connection, queue: str) -> None:
        self._connection = connection
        self.messages: list[Any] = []
        self.consumer = connection.Consumer(
            kombu.Queue(queue, kombu.Exchange(""), routing_key=queue), on_message=self.messages.append
        )
        self.consumer.consume()
        self.channel: Any = self.consumer.channel

    def take(self, count: int) -> None:
        while len(self.messages) < count:
            with contextlib.suppress(socket.timeout):
                self._connection.drain_events(timeout=1)


@pytest.fixture
def taker(settings: Settings) -> Iterator[Taker]:
    with LeaseConnection(settings.broker_url) as connection:
        yield Taker(connection, settings.queue)


def push(broker: redis.Redis, queue: str) -> None:
    header = CallHeader(reply_to="me", enqueued_at=time.time())
    message = task_message(str(uuid.uuid4()), RunCode(code="x"), header, sent_by="test")
    broker.lpush(queue, redis_envelope(message, queue))


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
