"""What a worker knows of one delivery, from the message's headers."""

import os
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from producer.envelope import HEADER, CallHeader

# How often a lease on this message ended before; set by the Redis transport.
LOSSES_HEADER = "leanfleet_losses"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """`call` is None for tasks that were sent through Celery's own API. `attempt` counts from 1."""

    id: str
    kind: str
    call: CallHeader | None = None
    attempt: int = 1
    worker: str = ""

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
            attempt=_attempt(request),
            worker=request.get("hostname") or f"{os.getpid()}@{socket.gethostname()}",
        )


def _attempt(request: Mapping[str, Any]) -> int:
    earlier = request.get(LOSSES_HEADER)
    return 1 + earlier if isinstance(earlier, int) else 1
