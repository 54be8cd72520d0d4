"""kombu's Redis transport without its hole: a message is at no moment in a worker's memory alone.

kombu pops a message (BRPOP) and records its delivery in a second step; a worker that dies in between takes the message
with it, acknowledged late or not. Here it is moved to a list on the server and from there to the leases
(`tasks.redelivery.scripts`), which are then kept by `tasks.redelivery.keeper`, on the server's clock.

Everything else is kombu's: connections, reconnects, publishing, and the pub/sub channels of remote control. Queues that
are consumed without acknowledgement (the replies to remote control) are read as kombu does it.
"""

import contextlib
import functools
import logging
import os
import secrets
import socket
import time
from queue import Empty
from typing import TYPE_CHECKING, Any

import redis
from kombu.transport import redis as kombu_redis

from tasks.appetite import Appetite
from tasks.delivery import LOSSES_HEADER
from tasks.redelivery import scripts
from tasks.redelivery.dead import bury, unreadable
from tasks.redelivery.keys import QueueKeys
from tasks.redelivery.lease import Lease
from tasks.redelivery.message import UnreadableMessageError, read_message

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Callable

    # What kombu's stubs leave out.
    class KombuChannel(kombu_redis.Channel):
        connection: "_Waking"
        connection_errors: tuple[type[Exception], ...]
        qos: "LeaseQoS"

        def _create_client(self) -> redis.Redis: ...
        def _brpop_start(self, timeout: float | None = None) -> None: ...
        def _brpop_read(self, **options: Any) -> bool: ...
        def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None: ...

    class KombuQoS(kombu_redis.QoS):
        channel: "LeaseChannel"
        _delivered: OrderedDict[str, Any]
        _dirty: set[str]

        def _flush(self) -> None: ...
else:
    KombuChannel, KombuQoS = kombu_redis.Channel, kombu_redis.QoS

logger = logging.getLogger(__name__)

# A consumer that registered longer ago does so again before it takes a message; cheap, and far below every lease.
_REGISTER_SECONDS = 5.0
# A server that refuses to hand over messages is asked again after this time.
_REFUSED_SECONDS = 0.5


class LeaseQoS(KombuQoS):
    """Deliveries of the leased queue; those of any other queue are kombu's affair."""

    _loop_waits = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._taken_at: dict[str, float] = {}

    def append(self, message: Any, delivery_tag: str) -> None:
        if delivery_tag not in self.channel.leased_tags:
            super().append(message, delivery_tag)
            return
        self._taken_at[delivery_tag] = time.monotonic()
        # The server knows it already; this is what `can_consume` counts.
        super(KombuQoS, self).append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        if delivery_tag not in self.channel.leased_tags:
            super().ack(delivery_tag)
            return
        try:
            self.channel.acknowledge(delivery_tag)
        except (redis.RedisError, OSError) as error:
            logger.warning("delivery %s is acknowledged later: %s", delivery_tag, error)
            self.channel.owed.add(delivery_tag)
        self.let_go(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if delivery_tag not in self.channel.leased_tags:
            super().reject(delivery_tag, requeue=requeue)
            return
        if not requeue:
            self.ack(delivery_tag)
            return
        # First: once it is in the queue, this very channel may take it again, under the same tag.
        self.channel.appetite.handed_back()
        self._taken_at.pop(delivery_tag, None)
        self.let_go(delivery_tag)
        try:
            self.channel.hand_back(delivery_tag)
        except (redis.RedisError, OSError) as error:
            logger.warning("delivery %s cannot be handed back; its lease will end: %s", delivery_tag, error)

    @property
    def held(self) -> int:
        """Deliveries that were not let go. Exact in the thread that takes them."""
        return len(self._delivered) - len(self._dirty)

    def can_consume(self) -> bool:
        """Asked by the event loop before it waits: what says no here is waited for, so who lets go must wake it."""
        if self._may_consume():
            return True
        self._loop_waits = True
        # Looked at again after the flag is up: of a thread that lets go meanwhile, one of the two sees the other.
        return self._may_consume()

    def _may_consume(self) -> bool:
        # What was asked for must be read, whether or not there is still an appetite for it.
        return super().can_consume() and (bool(self.channel._in_poll) or self.channel.has_appetite())  # noqa: SLF001

    def let_go(self, delivery_tag: str) -> None:
        """The server holds no lease of ours on it any more. Safe in any thread."""
        taken_at = self._taken_at.pop(delivery_tag, None)
        if taken_at is not None:
            self.channel.appetite.finished(time.monotonic() - taken_at)
        super(KombuQoS, self).ack(delivery_tag)
        if self._loop_waits:
            self._loop_waits = False
            self.channel.connection.wake()

    def restore_unacked(self, client: Any = None) -> None:
        self._flush()
        for tag in list(self._delivered):
            if tag in self.channel.leased_tags:
                del self._delivered[tag]
                try:
                    self.channel.hand_back(tag)
                except (redis.RedisError, OSError) as error:
                    logger.warning("delivery %s cannot be handed back; its lease will end: %s", tag, error)
        super().restore_unacked(client)

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the keeper sweeps, in a thread that a busy event loop cannot hold up."""


class LeaseChannel(KombuChannel):
    """A channel that consumes at most one queue with acknowledgement, by BLMOVE and leases."""

    QoS = LeaseQoS
    # kombu's priorities would need a list for each, and BLMOVE takes from one only: there are lanes instead.
    priority_steps = [0]  # noqa: RUF012 - kombu's type
    from_transport_options = (*KombuChannel.from_transport_options, "repls", "most_bytes")
    most_bytes = 0  # that a message may have; 0: any number
    repls = 0  # of this worker; 0: the prefetch count alone decides how much is taken

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.keys: QueueKeys | None = None
        self.consumer_id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        # What this channel holds, and how often each lease had ended before. Written by the event loop (added) and by
        # acknowledging threads (removed).
        self.leased_tags: dict[str, int] = {}
        # Of these, what is done and could not be acknowledged: the lease is kept until it is, and nothing runs twice.
        self.owed: set[str] = set()
        # Set when the worker drains: nothing more is taken, and what arrives all the same goes straight back.
        self.paused = False
        # Told how many operations the server dropped, when a message was to be taken, since nobody waited for them.
        self.on_dropped: Callable[[int], None] = lambda _: None
        self._registered_at = float("-inf")
        self._ask_at = float("-inf")
        super().__init__(*args, **kwargs)
        self.appetite = Appetite(repls=self.repls)
        client = self._create_client()
        self._register_consumer = client.register_script(scripts.REGISTER)
        self._pop = client.register_script(scripts.POP)
        self._take = client.register_script(scripts.TAKE)
        self._untake = client.register_script(scripts.UNTAKE)
        self._empty = client.register_script(scripts.PURGE)
        self._ack = client.register_script(scripts.ACK)
        self._hand_back = client.register_script(scripts.HAND_BACK)

    @property
    def taken(self) -> str:
        return self._keys().taken(self.consumer_id)

    def _keys(self) -> QueueKeys:
        if self.keys is None:
            raise ValueError("this channel consumes no queue with leases")
        return self.keys

    def _take_keys(self) -> list[str]:
        keys = self._keys()
        lanes = [keys.interactive, keys.bulk, keys.turns]
        return [self.taken, keys.leased, keys.leases, keys.losses, keys.queue, *lanes]

    def has_appetite(self) -> bool:
        """Whether to ask for one more message, as far as REPLs are concerned."""
        return not self.repls or self.keys is None or self.appetite.has_room(self.qos.held)

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        if not no_ack:
            if self.keys is not None and self.keys.queue != queue:
                raise ValueError(
                    f"a worker consumes one queue, not {self.keys.queue!r} and {queue!r}: start one for each"
                )
            self.keys = QueueKeys.of(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Go on where a full server has no room for the binding: who starts there empties it.

        Operations are published to their queue by its name, and remote control by pub/sub; neither looks at bindings.
        """
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except redis.exceptions.OutOfMemoryError as error:
            logger.warning("the broker is full and did not note that %s is bound to %s: %s", queue, exchange, error)

    def acknowledge(self, tag: str) -> None:
        """Let go of a delivery whose result is stored. Safe in any thread."""
        keys = self._keys()
        with self.conn_or_acquire() as client:
            self._ack(keys=[keys.leased, keys.leases, keys.losses], args=[tag], client=client)
        self.leased_tags.pop(tag, None)

    def lease(self, tag: str) -> Lease | None:
        """For who ends it elsewhere than in `acknowledge`; None for what is not ours."""
        return Lease(self._keys(), tag, functools.partial(self._ended, tag)) if tag in self.leased_tags else None

    def _ended(self, tag: str) -> None:
        self.leased_tags.pop(tag, None)
        self.qos.let_go(tag)

    def pay(self) -> None:
        """Acknowledge what is owed. For the keeper's thread; raises what redis-py raises."""
        for tag in tuple(self.owed):
            self.acknowledge(tag)
            self.owed.discard(tag)

    def take_over(self, other: "LeaseChannel") -> None:
        """Owe what the channel before this one, whose connection is gone, still owes."""
        for tag in tuple(other.owed):
            self.leased_tags.setdefault(tag, other.leased_tags.get(tag, 0))
            self.owed.add(tag)
            other.owed.discard(tag)

    def _purge(self, queue: str) -> int:
        """For `celery purge`: lanes are emptied, too."""
        keys = QueueKeys.of(queue)
        with self.conn_or_acquire() as client:
            names = [keys.queue, keys.interactive, keys.bulk, keys.turns]
            return int(self._empty(keys=names, client=client))

    def hand_back(self, tag: str) -> None:
        """Let another worker have it, or this one again. Safe in any thread. Where it fails, the lease ends."""
        keys = self._keys()
        # First: it may be taken here again at once, under the same tag, and its lease must be renewed then.
        losses = self.leased_tags.pop(tag, 0)
        with self.conn_or_acquire() as client:
            self._hand_back(keys=[keys.leased, keys.leases, keys.losses, keys.queue], args=[tag, losses], client=client)

    def close(self) -> None:
        """Leave nothing behind on the server: what arrived too late goes back, and the consumer's registration ends."""
        self.paused = True
        unheard: tuple[type[Exception], ...] = (*self.connection_errors, redis.RedisError)
        if self.keys is not None and not self.closed:
            try:
                if self._in_poll:
                    with contextlib.suppress(Empty):
                        self._brpop_read()
                with self.conn_or_acquire() as client:
                    self._untake(keys=[self.taken, self.keys.queue, self.keys.leases], client=client)
                    client.zrem(self.keys.consumers, self.taken)
            except unheard as error:
                logger.warning("the broker does not hear that this consumer ends; it will notice: %s", error)
        super().close()

    def _takes_leases(self) -> bool:
        return self.keys is not None and self.keys.queue in self._active_queues

    def _brpop_start(self, timeout: float | None = None) -> None:
        if not self._takes_leases():
            super()._brpop_start(timeout)
            return
        keys, now = self._keys(), time.monotonic()
        if self.paused or now < self._ask_at:
            return
        if now - self._registered_at > _REGISTER_SECONDS:
            self._register_consumer(keys=[keys.consumers], args=[self.taken], client=self.client)
            self._registered_at = now
        self._in_poll = self.client.connection
        self._brpop_sent_at = now
        wait_seconds = self.brpop_timeout if timeout is None else timeout
        self.client.connection.send_command("BLMOVE", keys.queue, self.taken, "RIGHT", "LEFT", wait_seconds)

    def _brpop_read(self, **options: Any) -> bool:
        # The queue may have been cancelled since the BLMOVE was sent, so what was sent decides.
        if self.keys is None:
            return bool(super()._brpop_read(**options))
        try:
            try:
                message = self._popped(**options)
                if message is None:
                    raise Empty
                return self._receive_message(message)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
        finally:
            self._in_poll = None

    def _popped(self, **options: Any) -> bytes | None:
        """What BLMOVE answers. A full server refuses it, as it may need memory: then the queue is asked by a script."""
        try:
            message: bytes | None = self.client.parse_response(self.client.connection, "BLMOVE", **options)
        except redis.ResponseError as error:
            logger.debug("the broker refuses BLMOVE: %s", error)
            self._ask_at = time.monotonic() + _REFUSED_SECONDS
            keys = self._keys()
            message = self._pop(keys=[keys.queue, self.taken, keys.leases], client=self.client)
            if message is not None:
                self._ask_at = float("-inf")
        return message

    def _lease(self, raw: bytes) -> tuple[str, int, bytes, dict[str, Any]]:
        """Lease what was taken, or what it is a ticket for.

        Returns delivery tag, lost leases so far, and the message: as it is on the server, and read.

        Raises:
            Empty: it is not there any more, or is no message: then it is among the dead letters.
        """
        tag = ""
        payload: dict[str, Any] = {}
        try:
            if raw:
                tag, payload = read_message(raw, most_bytes=self.most_bytes)
            took = self._take(keys=self._take_keys(), args=[tag], client=self.client)
            if took is None:
                raise Empty
            losses, *chosen = took
            if chosen:
                name, raw, dropped = chosen
                if dropped:
                    self.on_dropped(dropped)
                if name is None:
                    raise Empty
                tag = name.decode()
                _, payload = read_message(raw, tag, most_bytes=self.most_bytes)
        except UnreadableMessageError as error:
            queue = self._keys().queue
            logger.error(  # noqa: TRY400 - its traceback says nothing more
                "what was in the queue was put among the dead letters of %s: %s", queue, error
            )
            with self.client.pipeline() as pipeline:
                bury(pipeline, queue, unreadable(tag or secrets.token_hex(8), raw, str(error)))
                pipeline.lrem(self.taken, 1, raw)
                pipeline.execute()
            if tag:
                self.acknowledge(tag)
            raise Empty from error
        return tag, losses, raw, payload

    def _receive_message(self, raw: bytes) -> bool:
        """Lease what is in the `taken` list, and deliver it."""
        keys = self._keys()
        if self.paused or not self._takes_leases() or not self.has_appetite():
            self._untake(keys=[self.taken, keys.queue, keys.leases], client=self.client)
            raise Empty
        tag, losses, raw, payload = self._lease(raw)
        self.leased_tags[tag] = losses
        if losses:
            payload["headers"][LOSSES_HEADER] = losses
            payload["properties"]["delivery_info"]["redelivered"] = True
        try:
            self.connection._deliver(payload, keys.queue)  # noqa: SLF001 - as the method that this one replaces does
        except self.connection_errors:
            raise
        except Exception as error:
            # Raised further it would end this worker, and then every other one that takes this message.
            logger.exception("a message that cannot be handled was put among the dead letters of %s", keys.queue)
            with self.client.pipeline() as pipeline:
                bury(pipeline, keys.queue, unreadable(tag, raw, f"{type(error).__name__}: {error}"))
                pipeline.execute()
            self.qos.ack(tag)
        return True


class SentinelLeaseChannel(LeaseChannel, kombu_redis.SentinelChannel):
    """The same, at the master that Sentinel names."""

    # Ours beside Sentinel's own; the first base's would hide those.
    from_transport_options = (*kombu_redis.SentinelChannel.from_transport_options, "repls", "most_bytes")


class _Waking(kombu_redis.Transport):
    """Lets other threads wake the event loop, which otherwise sleeps until its next timer."""

    _waker: socket.socket | None = None
    _woken: socket.socket | None = None
    _loop: Any = None

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        super().register_with_event_loop(connection, loop)
        if self._waker is None:
            self._waker, self._woken = socket.socketpair()
            for end in (self._waker, self._woken):
                end.settimeout(0.0)
        self._loop = loop
        loop.add_reader(self._woken, self._on_woken)

    def wake(self) -> None:
        """Have the loop look at what it may take now. Safe in any thread, and when no loop runs."""
        if self._waker is not None:
            # A full pipe wakes as well as one byte more; one that was closed has nobody to wake.
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")

    def _on_woken(self) -> None:
        with contextlib.suppress(OSError):
            while self._woken is not None and self._woken.recv(4096):
                pass

    def close_connection(self, connection: Any) -> None:
        if self._waker is not None and self._woken is not None:
            if self._loop is not None:
                self._loop.remove(self._woken)
            self._waker.close()
            self._woken.close()
            self._waker = self._woken = None
        super().close_connection(connection)


class Transport(_Waking):
    """For `redis://` and `rediss://`."""

    Channel = LeaseChannel


class SentinelTransport(_Waking, kombu_redis.SentinelTransport):
    """For `sentinel://`."""

    Channel = SentinelLeaseChannel
