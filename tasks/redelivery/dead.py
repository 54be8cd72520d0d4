"""Dead letters: what no worker will be given again, kept for people to look at, to replay or to drop.

They lie beside the replies, as JSON in a list, newest first, so that they are the same for every kind of broker.
"""

import base64
import time
from typing import Any

import msgspec

# The list must not fill the server: past this many the oldest are forgotten.
MAX_LETTERS = 10_000
MAX_RAW_BYTES = 64 * 1024


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operation with why it is here; or, with `raw`, what was in the queue and no message at all.

    `at` is unix time on the worker's clock. `arguments` are those of the task named `kind`.
    """

    id: str
    at: float
    reason: str
    kind: str = ""
    label: str = ""
    arguments: dict[str, Any] = {}
    worker: str = ""
    raw: str = ""  # base64


def dead_key(queue: str) -> str:
    return f"leanfleet:dead:{queue}"


def unreadable(tag: str, raw: bytes, reason: str) -> DeadLetter:
    """The letter for what cannot be read as a message, of which no more than the beginning is kept."""
    if len(raw) > MAX_RAW_BYTES:
        raw, reason = raw[:MAX_RAW_BYTES], f"{reason} (its first {MAX_RAW_BYTES:,} bytes are kept)"
    return DeadLetter(id=tag, at=time.time(), reason=reason, raw=base64.b64encode(raw).decode("ascii"))


def bury(pipeline: Any, queue: str, letter: DeadLetter) -> None:
    """Queue the commands that add a letter on a redis-py pipeline, of either kind."""
    pipeline.lpush(dead_key(queue), msgspec.json.encode(letter))
    pipeline.ltrim(dead_key(queue), 0, MAX_LETTERS - 1)
