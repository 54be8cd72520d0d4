"""Celery's message, written by hand: an asyncio producer then needs neither Celery nor kombu, nor their time for each.

The format is Celery's message protocol 2 (https://docs.celeryq.dev/en/stable/internals/protocol.html); around it, on
Redis, kombu's virtual transport puts a JSON envelope (`kombu/transport/virtual/base.py`). Tests hold both against what
Celery and kombu themselves write and read.
"""

import base64
import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from producer.keys import batch_key
from producer.operation import AnyOperation

VERSION = 1
TASK_PREFIX = "leanfleet."
HEADER = "leanfleet"

_encoder = msgspec.json.Encoder()


class TaskMessage(NamedTuple):
    """A task as every broker carries it. `body` is JSON, UTF-8."""

    id: str
    headers: dict[str, object]
    body: bytes


class BatchPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which answer of which batch this is to become: it is kept for whoever asks for the batch, by its place."""

    id: str
    attempt: int
    place: int
    user: str = ""
    token: str = ""

    @property
    def key(self) -> str:
        """The hash on the broker that takes the answer."""
        return batch_key(self.id, self.attempt, self.user, self.token)


class CallHeader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker must know of the call besides the operation. Times are unix seconds on the producer's clock.

    The reply goes to the producer `reply_to` or, with a `batch`, to that.
    """

    enqueued_at: float
    reply_to: str = ""
    batch: BatchPlace | None = None
    deadline: float | None = None
    v: int = VERSION


def task_name(operation: AnyOperation) -> str:
    return TASK_PREFIX + operation.kind


def origin() -> str:
    """Who sent it, as Celery writes it: shown by monitors."""
    return f"{os.getpid()}@{socket.gethostname()}"


def task_message(
    call_id: str,
    operation: AnyOperation,
    header: CallHeader,
    *,
    sent_by: str,
    label: str = "",
    trace: Mapping[str, str] | None = None,
) -> TaskMessage:
    """The protocol 2 message that asks for `operation`; monitors show `label`, else the operation's own.

    `trace` are headers that carry a trace context: see `producer.tracing`.

    Raises:
        UnicodeEncodeError: a text holds lone surrogates; `Operation.checked` refuses those.
    """
    arguments = msgspec.to_builtins(operation)
    del arguments["kind"]
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return TaskMessage(
        id=call_id,
        headers={
            "lang": "py",
            "task": task_name(operation),
            "id": call_id,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": call_id,
            "parent_id": None,
            "argsrepr": label or operation.label,
            "kwargsrepr": "",
            "origin": sent_by,
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
            HEADER: header,
            **(trace or {}),
        },
        body=_encoder.encode([[], arguments, embed]),
    )


def redis_envelope(message: TaskMessage, queue: str, *, tag: str = "") -> bytes:
    """What kombu's Redis transport expects in the list `queue`; the delivery tag is a new one unless it is given."""
    return _encoder.encode(
        {
            "body": base64.b64encode(message.body).decode("ascii"),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": message.headers,
            "properties": {
                "correlation_id": message.id,
                "reply_to": "",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                # kombu asks that it is unique in the queue; a message that is sent again is a delivery of its own.
                "delivery_tag": tag or os.urandom(16).hex(),
            },
        }
    )
