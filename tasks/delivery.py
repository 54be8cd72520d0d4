"""What a worker knows of one delivery, from the message's headers."""

import os
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from producer.envelope import HEADER, VERSION, BatchPlace, CallHeader
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
    flaw: str = ""  # why the header cannot be understood; `call` then holds where to say so, if that much can be read

    @property
    def attempt(self) -> int:
        return 1 + self.losses + self.deaths

    @classmethod
    def from_request(cls, kind: str, request: Mapping[str, Any]) -> "Delivery":
        """Read Celery's task request, with a header of ours that may be of another version, or nonsense."""
        call, flaw = _read_header(request.get(HEADER))
        return cls(
            id=request.get("id") or "",
            kind=kind,
            call=call,
            losses=_losses(request),
            label=request.get("argsrepr") or "",
            trace={name: value for name in HEADERS if isinstance(value := request.get(name), str)},
            worker=request.get("hostname") or f"{os.getpid()}@{socket.gethostname()}",
            flaw=flaw,
        )


class _Address(msgspec.Struct, frozen=True):
    """What every version's header says of where the answer goes."""

    reply_to: str = ""
    batch: BatchPlace | None = None


def _read_header(header: Any) -> tuple[CallHeader | None, str]:
    """The header, and what is wrong with it."""
    if header is None:
        return None, ""
    version = header.get("v", VERSION) if isinstance(header, Mapping) else VERSION
    if version != VERSION:
        flaw = f"the call is of version {version!r}, and this worker knows {VERSION}: update the older of the two"
    else:
        try:
            return msgspec.convert(header, CallHeader), ""
        except msgspec.ValidationError as error:
            flaw = f"the call's header cannot be read: {error}"
    try:
        address = msgspec.convert(header, _Address)
    except msgspec.ValidationError:
        return None, flaw
    if not address.reply_to and address.batch is None:
        return None, flaw
    return CallHeader(enqueued_at=0.0, reply_to=address.reply_to, batch=address.batch), flaw


def _losses(request: Mapping[str, Any]) -> int:
    # RabbitMQ's quorum queues count by themselves: https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
    found = request.get(LOSSES_HEADER, request.get("x-delivery-count"))
    return found if isinstance(found, int) else 0
