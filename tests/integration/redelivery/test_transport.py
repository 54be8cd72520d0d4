"""Our channel of kombu's, on a real server: what only the two together can get wrong."""

import contextlib
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import kombu
import pytest
import redis

from producer.envelope import CallHeader, redis_envelope, task_message
from producer.operation import RunCode
from producer.settings import Settings
from tasks.redelivery.connection import LeaseConnection
from tasks.redelivery.keys import QueueKeys


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


def test_what_is_taken_again_while_it_is_handed_back_is_held_like_any_other(
    taker: Taker, broker: redis.Redis, keys: QueueKeys, settings: Settings
) -> None:
    message = task_message(
        str(uuid.uuid4()), RunCode(code="x"), CallHeader(reply_to="me", enqueued_at=time.time()), sent_by="test"
    )
    broker.lpush(settings.queue, redis_envelope(message, settings.queue))
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
