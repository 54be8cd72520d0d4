"""Dead letters: messages that no worker will be given again, kept for people to look at.

Each entry is JSON in a Redis list, newest first, and holds the message as it was, so that it can be replayed.
"""

import base64
import time

import msgspec
import redis

# The list must not fill the broker: past this many the oldest are forgotten.
MAX_ENTRIES = 10_000


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """`message` is base64 of what was in the queue; `at` is unix time on the worker's clock."""

    at: float
    reason: str
    message: str
    call_id: str = ""
    label: str = ""
    worker: str = ""


def dead_key(queue: str) -> str:
    return f"leanfleet:dead:{queue}"


def bury(
    client: redis.Redis,
    queue: str,
    *,
    message: bytes,
    reason: str,
    call_id: str = "",
    label: str = "",
    worker: str = "",
) -> None:
    """Add an entry; raises what redis-py raises."""
    letter = DeadLetter(
        at=time.time(),
        reason=reason,
        message=base64.b64encode(message).decode("ascii"),
        call_id=call_id,
        label=label,
        worker=worker,
    )
    with client.pipeline() as pipeline:
        pipeline.lpush(dead_key(queue), msgspec.json.encode(letter))
        pipeline.ltrim(dead_key(queue), 0, MAX_ENTRIES - 1)
        pipeline.execute()
