"""Which calls their producers gave up: they are dropped before they start, and ended where they run."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer.backoff import Outage
from producer.keys import REVOKED, REVOKED_TTL_SECONDS

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
# Entries are scored by their producers' clocks: looked at again is what is up to so much older than the newest seen. Of
# the first seconds all is read; of the others only where their number says that something is new, since tens of
# thousands may have been revoked at once.
_CLOCK_SKEW_SECONDS = 120.0
_NEAR_SECONDS = 2.0


class Revocations:
    """A copy of the set on the server, at most `POLL_SECONDS` old; asking it costs no round trip."""

    def __init__(
        self,
        redis: Redis,
        *,
        on_new: Callable[[set[str]], object] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With `on_new` being told of calls that were not known to be revoked before; `clock` gives unix time."""
        self._redis = redis
        self._on_new = on_new
        self._clock = clock
        self._expiries: dict[str, float] = {}
        self._newest = 0.0

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._expiries

    async def run(self) -> None:
        """Keep up with the server until cancelled."""
        outage = Outage("reading revocations", logger)
        while True:
            try:
                await self.poll()
            except (RedisError, OSError) as error:
                await outage.wait(error)
                continue
            outage.over()
            await asyncio.sleep(POLL_SECONDS)

    async def poll(self) -> None:
        """Read what is new, once; forget what is too old to matter. Raises what redis-py raises."""
        found = await self._look()
        now = self._clock()
        new = set()
        for member, expiry in found:
            call_id = member.decode(errors="replace")  # whoever may write here may write anything
            if call_id not in self._expiries:
                new.add(call_id)
            self._expiries[call_id] = expiry
            # A producer whose clock is far ahead must not hide what others revoke.
            self._newest = max(self._newest, min(expiry, now + REVOKED_TTL_SECONDS))
        horizon = now - REVOKED_TTL_SECONDS
        for call_id in [call_id for call_id, expiry in self._expiries.items() if expiry < horizon]:
            del self._expiries[call_id]
        if new:
            self._on_new(new)

    async def _look(self) -> list[tuple[bytes, float]]:
        """Entries and their scores, all that are new among them."""
        near, oldest = (max(self._newest - seconds, 0.0) for seconds in (_NEAR_SECONDS, _CLOCK_SKEW_SECONDS))
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrangebyscore(REVOKED, near, "+inf", withscores=True)
            pipe.zcount(REVOKED, oldest, f"({near!r}")
            found, older = await pipe.execute()
        if older == sum(oldest <= expiry < near for expiry in self._expiries.values()):
            return cast("list[tuple[bytes, float]]", found)
        return cast(
            "list[tuple[bytes, float]]", await self._redis.zrangebyscore(REVOKED, oldest, "+inf", withscores=True)
        )
