"""Putting messages on RabbitMQ, each confirmed by the server before it counts as published.

py-amqp is not asynchronous, so a thread of its own owns the connection. A publish that fails in any way gives the
connection up: the next one connects anew, and its caller sends again what was not confirmed.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import amqp
import msgspec

from producer.connection import CONNECT_SECONDS, READ_SECONDS
from producer.envelope import TaskMessage
from producer.errors import BrokerRefusedError, BrokerUnavailableError
from producer.lane import Lane, Priority
from producer.quorum import QUEUE_ARGUMENTS, AmqpAddress, amqp_addresses
from producer.settings import without_password

T = TypeVar("T")

# What is raised where the connection cannot be had or ends. py-amqp raises AttributeError, too, when it ends under its
# hands.
LOST = (amqp.AMQPError, OSError, AttributeError)
# So many messages are on their way to the server before the confirmation of all of them is waited for.
WINDOW = 1000
# A node that has just started can leave a first message unconfirmed; it is then sent again, and may be there twice.
CONFIRM_SECONDS = 15.0
_CLOSE_SECONDS = 2.0
# Quorum queues of RabbitMQ 4.0 and newer have two priorities, above 4 and not above, and serve two messages of the
# higher for one of the lower; older ones ignore it: https://www.rabbitmq.com/docs/quorum-queues#priorities
_PRIORITIES: dict[Priority, int] = {"interactive": 9, "bulk": 0}


def connection_to(
    address: AmqpAddress, *, connect_seconds: float, reply_seconds: float, **more: Any
) -> amqp.Connection:
    """A connection to one node that is yet to be opened, by `connect` or a `with`; `more` is for py-amqp."""
    return amqp.Connection(
        host=f"{address.host}:{address.port}",
        userid=address.user,
        password=address.password,
        virtual_host=address.virtual_host,
        ssl=address.tls or False,
        connect_timeout=connect_seconds,
        read_timeout=reply_seconds,
        write_timeout=reply_seconds,
        **more,
    )


class RabbitPublisher:
    """A queue is a quorum queue of this very name, reached through the default exchange. It knows no fair shares."""

    def __init__(self, url: str) -> None:
        """Raise SettingsError when `url` is no address of RabbitMQ."""
        self._url = without_password(url)
        self._addresses = amqp_addresses(url)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leanfleet-rabbitmq")
        self._link: _Link | None = None  # the thread's alone

    async def connect(self) -> None:
        await self._do(lambda _: None)

    async def publish(self, lane: Lane, messages: Sequence[TaskMessage]) -> None:
        def publish(link: "_Link") -> None:
            link.declare(lane.queue)
            for start in range(0, len(messages), WINDOW):
                link.publish(lane.queue, messages[start : start + WINDOW], priority=_PRIORITIES[lane.priority])

        await self._do(publish)

    async def backlog(self, lane: Lane) -> int:
        return await self._do(lambda link: link.count(lane.queue))

    async def withdraw(self, lane: Lane) -> int:  # noqa: ARG002 - there are no lanes
        return 0

    async def close(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await loop.run_in_executor(self._thread, self._say_goodbye)
        finally:
            self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[["_Link"], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._connected, work)

    def _connected(self, work: Callable[["_Link"], T]) -> T:
        try:
            if self._link is None:
                self._link = self._connect()
            return work(self._link)
        except LOST as error:
            blocked = "" if self._link is None else self._link.blocked
            self._give_up()
            raise self._in_our_words(error, blocked) from error
        except BaseException:
            self._give_up()
            raise

    def _connect(self) -> "_Link":
        """The first node that takes us. Raise what the last one raised."""
        *others, last = self._addresses
        for address in others:
            with contextlib.suppress(*LOST):
                return _Link(address)
        return _Link(last)

    def _give_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _say_goodbye(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close(politely=True)

    def _in_our_words(self, error: Exception, blocked: str) -> BrokerUnavailableError:
        match error:
            case amqp.AccessRefused():
                return BrokerRefusedError(
                    f"the broker at {self._url} refused us ({error}): check user and password in LEANFLEET_BROKER_URL"
                )
            case amqp.NotAllowed():
                return BrokerRefusedError(
                    f"the broker at {self._url} refused us ({error}): check the virtual host in LEANFLEET_BROKER_URL"
                )
            case amqp.PreconditionFailed():
                return BrokerRefusedError(
                    f"the broker at {self._url} refused us ({error}): a queue of this name and of another kind is "
                    "there. Delete it, or choose another with LEANFLEET_QUEUE"
                )
        text = f"it takes no messages: {blocked}" if blocked else str(error) or type(error).__name__
        return BrokerUnavailableError(f"the broker at {self._url} cannot be used: {text}")


class _Link:
    """One connection with one channel, for one thread. After any error it is of no more use."""

    _channel: Any  # whose stub knows neither events nor what a declaration gives

    def __init__(self, address: AmqpAddress) -> None:
        self.blocked = ""  # why the server stopped reading from publishers, while it has
        self._connection = connection_to(
            address,
            connect_seconds=CONNECT_SECONDS,
            reply_seconds=READ_SECONDS,
            heartbeat=0,  # nobody would send them while nothing is published
            on_blocked=self._on_blocked,
            on_unblocked=self._on_unblocked,
        )
        try:
            self._connection.connect()
            self._channel = self._connection.channel()
            self._channel.confirm_select()
        except BaseException:
            self.close()
            raise
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        self._declared: set[str] = set()
        self._sent = 0
        self._unconfirmed: set[int] = set()
        self._refused = ""

    def declare(self, queue: str) -> None:
        """Make sure that the queue is there, once."""
        if queue not in self._declared:
            self.count(queue)
            self._declared.add(queue)

    def count(self, queue: str) -> int:
        """How many messages wait in it."""
        declared = self._channel.queue_declare(queue, durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
        return int(declared.message_count)

    def publish(self, queue: str, messages: Sequence[TaskMessage], *, priority: int) -> None:
        """Return when the server has confirmed all of them: a quorum of nodes has written them down."""
        for message in messages:
            self._sent += 1
            self._unconfirmed.add(self._sent)
            self._channel.basic_publish(_as_amqp(message, priority), exchange="", routing_key=queue, mandatory=True)
        deadline = time.monotonic() + CONFIRM_SECONDS
        while self._unconfirmed and not self._refused:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(self._unconfirmed)} messages were not confirmed within {CONFIRM_SECONDS:g} s")
            with contextlib.suppress(socket.timeout):
                self._connection.drain_events(timeout=left)
        if self._refused:
            raise ConnectionError(self._refused)

    def close(self, *, politely: bool = False) -> None:
        """Never raises. Politely: wait for the server's goodbye, without which it logs a warning."""
        with contextlib.suppress(*LOST):
            if politely:
                self._connection.close()
        with contextlib.suppress(*LOST):
            self._connection.collect()

    def _on_ack(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {each for each in self._unconfirmed if each > tag}
        else:
            self._unconfirmed.discard(tag)

    def _on_nack(self, tag: int, multiple: bool) -> None:  # noqa: ARG002 - py-amqp's signature
        self._refused = "it could not store a message"

    def _on_return(self, error: Exception, *where: object) -> None:  # noqa: ARG002 - as above
        self._refused = f"the queue is not there any more ({error})"

    def _on_blocked(self, reason: str) -> None:
        self.blocked = reason

    def _on_unblocked(self) -> None:
        self.blocked = ""


def _as_amqp(message: TaskMessage, priority: int) -> Any:
    return amqp.Message(
        message.body,
        application_headers=msgspec.to_builtins(message.headers),
        content_type="application/json",
        content_encoding="utf-8",
        correlation_id=message.id,
        delivery_mode=2,
        priority=priority,
    )
