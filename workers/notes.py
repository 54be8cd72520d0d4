"""Small keys that a server takes although its memory is full: reports, orders to drain, what the controller keeps.

A queue that fills its broker is emptied by workers, and who starts workers and hears of them must not be locked out
until then.
"""

from typing import Any

from redis.asyncio import Redis

# KEYS[1], ARGV value, milliseconds. SET is refused by a full server, unless the script has written something before.
SET = """
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
"""


async def set_note(redis: Redis, key: str, value: bytes, *, ttl_seconds: float) -> None:
    """Set a key for some time, also on a full server. Raises what redis-py raises."""
    client: Any = redis  # whose `eval` is typed for both worlds at once
    await client.eval(SET, 1, key, value, int(ttl_seconds * 1000))
