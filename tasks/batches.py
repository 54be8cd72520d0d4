"""Which batches still want answers: what belongs to one that was cancelled or lost is dropped before it starts."""

import asyncio
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer.keys import OPEN

# A batch has many messages in a row: the server is asked once for all that come within this time.
REMEMBER_SECONDS = 1.0
_REMEMBERED = 1000


class Batches:
    """For one event loop."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._known: dict[str, tuple[float, bool]] = {}
        self._asking = asyncio.Lock()

    async def is_open(self, key: str) -> bool:
        """Whether the attempt under this key takes answers; true while the server cannot be asked."""
        async with self._asking:
            now = time.monotonic()
            asked_at, is_open = self._known.get(key, (float("-inf"), True))
            if now - asked_at < REMEMBER_SECONDS:
                return is_open
            try:
                is_open = bool(await self._redis.hexists(key, OPEN))
            except (RedisError, OSError):
                return True  # the answer will wait for the server
            while len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = (now, is_open)
            return is_open
