"""What waits on a Redis broker, for tests that look into it."""

from collections.abc import Iterator
from typing import cast

import redis

from producer.lane import PRIORITIES, ring_key
from tasks.redelivery import scripts
from tasks.redelivery.keys import QueueKeys

_POP = f"""
{scripts.CHOOSE}
local entry = redis.call('RPOP', KEYS[1])
if entry ~= '' then return entry end
local _, message = choose(KEYS[2], KEYS[3], KEYS[4])
return message
"""


def _oldest_first(client: redis.Redis, key: str) -> list[bytes]:
    return cast("list[bytes]", client.lrange(key, 0, -1))[::-1]


def lanes(client: redis.Redis, queue: str) -> dict[str, list[bytes]]:
    """The messages of each lane, the oldest first, by the lane's key."""
    keys = (
        f"{ring_key(queue, priority)}:{producer.decode()}"
        for priority in PRIORITIES
        for producer in cast("list[bytes]", client.lrange(ring_key(queue, priority), 0, -1))
    )
    return {key: [entry.partition(b" ")[2] for entry in _oldest_first(client, key)] for key in keys}


def waiting(client: redis.Redis, queue: str) -> list[bytes]:
    """All messages that wait: whole ones, then each lane's, each the oldest first."""
    whole = [entry for entry in _oldest_first(client, queue) if entry]
    return [*whole, *(message for lane in lanes(client, queue).values() for message in lane)]


def drained(client: redis.Redis, queue: str) -> Iterator[bytes]:
    """Take messages without leases, in the order in which workers would, until there is no more."""
    keys = QueueKeys.of(queue)
    while (message := client.eval(_POP, 4, keys.queue, keys.interactive, keys.bulk, keys.turns)) is not None:
        yield cast("bytes", message)
