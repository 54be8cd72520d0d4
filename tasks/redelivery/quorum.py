"""RabbitMQ's own leases: a delivery belongs to the connection that it went to, and goes back when that ends.

The server does all of it, in milliseconds, for as long as heartbeats say that a machine is there. What is added here is
what a worker of threads needs: channels that any thread may acknowledge on, also when Celery's event loop has stopped;
a way to stop taking at once; and an end for deliveries that hang in a worker that is otherwise alive.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import amqp
from amqp.transport import SSLTransport
from kombu.transport import pyamqp

from producer.quorum import QUEUE_ARGUMENTS

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_LOST = (amqp.AMQPError, OSError, AttributeError)

if TYPE_CHECKING:
    # What the stubs leave out.
    class KombuChannel(pyamqp.Channel):
        connection: Any
        callbacks: dict[str, Callable[[Any], object]]
        no_ack_consumers: set[str]

        def message_to_python(self, raw_message: Any) -> Any: ...

    class TLSTransport(SSLTransport):
        _quick_recv: Callable[..., bytes]
        _write: Callable[[bytes], None]

        def _setup_transport(self) -> None: ...

else:
    KombuChannel, TLSTransport = pyamqp.Channel, SSLTransport


class QuorumChannel(KombuChannel):
    """Acknowledged on by every thread, read by one. py-amqp writes each frame under a lock since 5.4.2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Delivery tag → since when, monotonic, for all that this channel has to acknowledge. Who removes a tag
        # is who answers for it: RabbitMQ ends a channel on which a delivery is acknowledged twice.
        self.held: dict[int, float] = {}
        self.paused = False
        super().__init__(*args, **kwargs)

    def queue_declare(self, queue: str = "", *args: Any, **options: Any) -> Any:
        """Celery's own queues are not durable; what is, holds operations.

        Said here and not to Celery: where that knows of a quorum queue it declares 28 more, for countdowns, which
        nobody uses here.
        """
        if options.get("durable") and not options.get("passive"):
            options["arguments"] = {**(options.get("arguments") or {}), **QUEUE_ARGUMENTS}
        return super().queue_declare(queue, *args, **options)

    def message_to_python(self, raw_message: Any) -> Any:
        message = super().message_to_python(raw_message)
        if message.delivery_info.get("consumer_tag") not in self.no_ack_consumers:
            self.held[message.delivery_tag] = time.monotonic()
        return message

    def basic_ack(self, delivery_tag: int, multiple: bool = False, *args: Any) -> None:
        if self.held.pop(delivery_tag, None) is not None:
            super().basic_ack(delivery_tag, multiple, *args)

    def basic_reject(self, delivery_tag: int, requeue: bool, *args: Any) -> None:
        if self.held.pop(delivery_tag, None) is not None:
            super().basic_reject(delivery_tag, requeue, *args)

    def pause(self) -> None:
        """Take nothing more; acknowledging goes on. For any thread, but never in a signal handler: it takes a lock."""
        if self.paused:
            return
        self.paused = True
        for tag in [tag for tag in self.callbacks if tag not in self.no_ack_consumers]:
            self.callbacks[tag] = self._refuse  # for what is on its way already
            self.basic_cancel(tag, nowait=True)

    def _refuse(self, raw_message: Any) -> None:
        super().basic_reject(raw_message.delivery_tag, requeue=True)


class _LockedTLS(TLSTransport):
    """OpenSSL's connections must not be read and written at the same time, which CPython ensures only since 3.13."""

    def _setup_transport(self) -> None:
        super()._setup_transport()
        self._lock = threading.Lock()
        read, write = self._quick_recv, self._write

        def locked_read(*args: Any) -> Any:
            with self._lock:
                return read(*args)

        def locked_write(data: Any) -> None:
            with self._lock:
                write(data)

        self._quick_recv, self._write = locked_read, locked_write


class _QuorumConnection(pyamqp.Connection):
    Channel = QuorumChannel

    def Transport(  # noqa: N802, PLR0917 - py-amqp's names and order
        self,
        host: str,
        connect_timeout: float | None,
        ssl: Any = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        socket_settings: Any = None,
        **kwargs: Any,
    ) -> Any:
        timeouts = {"read_timeout": read_timeout, "write_timeout": write_timeout, "socket_settings": socket_settings}
        if ssl:
            return _LockedTLS(host, connect_timeout=connect_timeout, ssl=ssl, **timeouts, **kwargs)
        return super().Transport(host, connect_timeout, ssl=ssl, **timeouts, **kwargs)


class QuorumTransport(pyamqp.Transport):
    """For `amqp://`."""

    Connection = _QuorumConnection

    def qos_semantics_matches_spec(self, connection: Any) -> bool:  # noqa: ARG002 - kombu's signature
        """Celery asks in order to prefetch for a whole channel where it says no: quorum queues know no such thing."""
        return True


class SecureQuorumTransport(QuorumTransport, pyamqp.SSLTransport):
    """For `amqps://`."""


class QuorumKeeper:
    """A thread that hands back what has hung here for too long, and sends heartbeats when Celery's loop has stopped.

    A worker that drains has no loop any more, and would be taken for gone before its grace is over.
    """

    def __init__(
        self,
        *,
        lease_seconds: float,
        max_lease_seconds: float,
        is_healthy: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease_seconds = lease_seconds
        self._max_lease_seconds = max_lease_seconds
        self._is_healthy = is_healthy
        self._clock = clock
        self._channel: QuorumChannel | None = None
        self._beat_at = clock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def attach(self, channel: QuorumChannel) -> None:
        """Watch over this channel from now on, instead of the one before; start the thread at the first one."""
        self._channel = channel
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="quorum-keeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            if (channel := self._channel) is None:
                continue
            try:
                self.look(channel)
            except _LOST as error:
                logger.debug("the connection is not there now; Celery makes another: %s", error)
            except Exception:  # what ends this thread would end heartbeats and hung deliveries' only way out
                logger.exception("a bug: watching over deliveries failed")

    def look(self, channel: QuorumChannel) -> None:
        """One look. Raises what py-amqp raises when the connection is gone."""
        connection, now = channel.connection, self._clock()
        if connection is None:
            return
        if connection.heartbeat and now - self._beat_at > connection.heartbeat / 3:
            self._beat_at = now
            connection.send_heartbeat()
        healthy = self._is_healthy()
        longest = self._max_lease_seconds if healthy else self._lease_seconds
        for tag, since in list(channel.held.items()):
            if now - since > longest:
                reason = "was held for longer than max_lease_seconds" if healthy else "hangs in a worker that hangs"
                logger.error("delivery %d %s: it goes to others", tag, reason)
                channel.basic_reject(tag, requeue=True)
