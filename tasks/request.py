"""Acknowledging from the thread that did the work, instead of by way of Celery's event loop.

Celery queues acknowledgements for its loop and does not wake it: a loop that sleeps in its poll, because all that it
may prefetch is delivered, then takes nothing more for up to a second, and one that has stopped hands nothing back.
Our channels may be used from any thread. That of Redis wakes the loop when it can take something again; RabbitMQ sends
what can be taken.
"""

import functools
import logging
from typing import Any

from celery.worker.request import Request

from producer.envelope import HEADER
from tasks.carrier import Work
from tasks.delivery import Delivery
from tasks.errors import RevokedError, TerminatedError
from tasks.redelivery.lease import Lease
from tasks.redelivery.quorum import QuorumChannel
from tasks.redelivery.transport import LeaseChannel
from tasks.runtime import current_runtime

logger = logging.getLogger(__name__)

_OURS = (LeaseChannel, QuorumChannel)


class OperationRequest(Request):
    """What Celery makes of a message for one of our tasks; on any other channel it is Celery's own."""

    def client_call(self) -> tuple[Delivery, Work] | None:
        """What leanfleet's own client asks for; None where more than a reply to it is wanted, or something else.

        Raises:
            msgspec.ValidationError: our header is not one that this version understands.
        """
        *_, embed = self._payload  # type: ignore[attr-defined] # its third part names callbacks, chains and chords
        if HEADER not in self.request_dict or not self.ignore_result or any((embed or {}).values()):
            return None
        task: Any = self.task  # an OperationTask
        return Delivery.from_request(task.kind, self.request_dict), task.work(self.args, self.kwargs)

    def lease(self) -> Lease | None:
        """For who ends it with the reply: then nothing is left to acknowledge. None where this is not to be had."""
        channel = self.message.channel
        lease = channel.lease(self.message.delivery_tag) if isinstance(channel, LeaseChannel) else None
        return None if lease is None else lease._replace(ended=functools.partial(self._lease_ended, lease))

    def _lease_ended(self, lease: Lease) -> None:
        lease.ended()
        self.acknowledged = True

    @property
    def sends_events(self) -> bool:
        """Whether anybody is told of tasks: Flower, say."""
        eventer: Any = self.eventer
        if not eventer or not eventer.enabled or not self.task.send_events:
            return False
        return not eventer.groups or "task" in eventer.groups  # else it is there for the worker's own heartbeat alone

    def revoked(self) -> bool:
        """Whether to drop it before it is begun. A client's call is let through: its caller waits for an answer."""
        return HEADER not in self.request_dict and bool(super().revoked())

    def terminate(self, pool: Any, signal: Any = None) -> None:  # noqa: ARG002 - Celery's signature
        """End it where it runs, whatever the signal is: its REPL has a moment to answer and is killed then.

        What was not begun yet is known to be revoked when its turn comes.
        """
        if (runtime := current_runtime()) is not None:
            runtime.terminate(self.id)

    def acknowledge(self) -> None:
        message: Any = self.message
        if not isinstance(message.channel, _OURS):
            super().acknowledge()
        elif not self.acknowledged:
            lost: tuple[type[Exception], ...] = tuple(self.connection_errors)
            try:
                message.ack()
            except lost as error:
                # kombu's own word for it is critical, with a traceback: one for each that runs when a connection ends.
                logger.warning(
                    "operation %s is done, and goes back with the connection that it came by: its second answer is "
                    "dropped (%s)",
                    self.id,
                    error,
                )
            self.acknowledged = True

    def reject(self, requeue: bool = False) -> None:
        message: Any = self.message
        if not isinstance(message.channel, _OURS):
            super().reject(requeue=requeue)
        elif not self.acknowledged:
            message.reject_log_error(logger, self.connection_errors, requeue)
            self.acknowledged = True
            self.send_event("task-rejected", requeue=requeue)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """As Celery's; what nobody waits for any more is acknowledged, and revoked in the eyes of Flower."""
        error = exc_info.exception
        if isinstance(cause := getattr(error, "exc", error), RevokedError):
            announce: Any = self._announce_revoked  # type: ignore[attr-defined] # what Celery's own revocation does
            terminated = isinstance(cause, TerminatedError)
            announce("terminated" if terminated else "revoked", terminated=terminated, signum=None, expired=False)
            return None
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
