"""One controller at a time: a lease in Redis, timed by its server and, more strictly, by the holder's own clock."""

import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from workers.notes import SET

# KEYS lease; ARGV holder, milliseconds. Takes a free lease or renews one's own; says whether it is held now.
_HOLD = f"""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
{SET}
return 1
"""

# KEYS lease; ARGV holder. A lease that somebody else has taken meanwhile stays.
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


def lease_key(queue: str) -> str:
    return f"leanfleet:autoscale:leader:{queue}"


class Leadership:
    """`hold` is called at every step; between two calls `is_certain` says whether acting is still right."""

    def __init__(
        self,
        redis: Redis,
        *,
        queue: str,
        holder: str,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.holder = holder
        self._keys = [lease_key(queue)]
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._certain_until = 0.0
        self._hold: Any = redis.register_script(_HOLD)
        self._release: Any = redis.register_script(_RELEASE)

    async def hold(self) -> bool:
        """Take or renew the lease. Raises what redis-py raises; then nothing is known, and `is_certain` decides."""
        # Counted from before the request: the server's lease ends later than ours, whatever the request takes.
        asked_at = self._clock()
        held = bool(await self._hold(keys=self._keys, args=[self.holder, int(self._lease_seconds * 1000)]))
        self._certain_until = asked_at + self._lease_seconds if held else 0.0
        return held

    @property
    def is_certain(self) -> bool:
        """Whether nobody else can hold the lease now."""
        return self._clock() < self._certain_until

    async def release(self) -> None:
        """Let the next one begin at once. Raises what redis-py raises."""
        self._certain_until = 0.0
        await self._release(keys=self._keys, args=[self.holder])
