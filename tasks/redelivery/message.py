"""What a message must be before it is handed to Celery, which ends the worker on many that are not.

A message that ends the worker that takes it goes back to the queue and ends the next one, and so on through the fleet.
So everything that kombu and Celery rely on is checked here first, and what fails is a dead letter.
"""

import base64
import binascii
import re
from typing import Any, Literal

import msgspec

# Of a message, in units of the most that an operation's texts may have. The rest is what a state's steps may have
# besides, written as JSON and then as base64; what is larger was not sent by a client of ours.
SIZE_FACTOR = 40

# What kombu and our client write, hex with or without hyphens; scripts.TAKE looks for it in the JSON text.
_TAG = re.compile(r"[A-Za-z0-9-]{8,64}")


class UnreadableMessageError(Exception):
    """Why a message cannot be handed on. Never leaves this package."""


class _Headers(msgspec.Struct):
    """https://docs.celeryq.dev/en/stable/internals/protocol.html, version 2."""

    task: str
    id: str
    timelimit: tuple[float | None, float | None] | None = None
    retries: int | None = None
    eta: str | None = None
    expires: str | float | None = None
    parent_id: str | None = None
    root_id: str | None = None
    group: str | None = None
    group_index: int | None = None
    origin: str | None = None
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    stamped_headers: list[str] | None = None
    stamps: dict[str, Any] | None = None
    ignore_result: bool | None = None
    replaced_task_nesting: int | None = None


class _Properties(msgspec.Struct):
    delivery_tag: str
    delivery_info: dict[str, Any]
    body_encoding: Literal["base64"] | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    priority: int | None = None


class _Envelope(msgspec.Struct):
    body: str
    headers: _Headers
    properties: _Properties
    content_type: str = msgspec.field(name="content-type", default="application/json")
    content_encoding: str = msgspec.field(name="content-encoding", default="utf-8")


_Body = tuple[list[Any], dict[str, Any], dict[str, Any] | None]


def read_message(raw: bytes, expected: str = "", *, most_bytes: int = 0) -> tuple[str, dict[str, Any]]:
    """The delivery tag and the whole message as kombu wants it. `expected` is the tag that it must have, if not empty.

    A message may have `most_bytes`, if not 0.

    Raises:
        UnreadableMessageError: it is not one that can be handed on.
    """
    if most_bytes and len(raw) > most_bytes:
        raise UnreadableMessageError(f"not a message: it has {len(raw):,} bytes and the limit is {most_bytes:,}")
    try:
        payload = msgspec.json.decode(raw)
        envelope = msgspec.convert(payload, _Envelope)
        if envelope.content_type == "application/json":  # others are refused by Celery itself, in good order
            body = envelope.body.encode(envelope.content_encoding)
            if envelope.properties.body_encoding == "base64":
                body = base64.b64decode(body, validate=True)
            msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, binascii.Error, UnicodeError, LookupError, RecursionError) as error:
        raise UnreadableMessageError(f"not a message: {error}") from error
    tag = envelope.properties.delivery_tag
    if not _TAG.fullmatch(tag):
        raise UnreadableMessageError("not a message: its delivery tag is not of letters, digits and hyphens")
    if f'"{tag}"'.encode() not in raw:
        # Written with escapes, it could not be found again: the message would be taken and put back for ever.
        raise UnreadableMessageError("not a message: its delivery tag is written with escapes")
    if expected and tag != expected:
        raise UnreadableMessageError(f"not a message: it waited as {expected!r}, which is not its delivery tag")
    return tag, payload
