"""What a worker knows of one delivery, from the message's headers."""

import os
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from producer.envelope import HEADER, CallHeader
from producer.tracing import HEADERS

# How often a lease on this message ended before; set by the Redis transport.
LOSSES_HEADER = "leanfleet_losses"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """`call` is None for tasks of Celery's own API.

    `losses` is how often a worker vanished with it before, `deaths` how often its REPL died, as far as that is known;
    `trace` is the span of who asked, in W3C's headers.
    """

    id: str
    kind: str
    call: CallHeader | None = None
    losses: int = 0
    deaths: int = 0
    label: str = ""
    worker: str = ""
    trace: dict[str, str] = {}

    @property
    def attempt(self) -> int:
        return 1 + self.losses + self.deaths

    @classmethod
    def from_request(cls, kind: str, request: Mapping[str, Any]) -> "Delivery":
        """Read Celery's task request.

        Raises:
            msgspec.ValidationError: our header is not one that this version understands.
        """
        header = request.get(HEADER)
        return cls(
            id=request.get("id") or "",
            kind=kind,
            call=None if header is None else msgspec.convert(header, CallHeader),
            losses=_losses(request),
            label=request.get("argsrepr") or "",
            trace={name: value for name in HEADERS if isinstance(value := request.get(name), str)},
            worker=request.get("hostname") or f"{os.getpid()}@{socket.gethostname()}",
        )


def _losses(request: Mapping[str, Any]) -> int:
    # RabbitMQ's quorum queues count by themselves: https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
    found = request.get(LOSSES_HEADER, request.get("x-delivery-count"))
    return found if isinstance(found, int) else 0
