"""The fleet's time: that of the server which carries the replies.

Deadlines come from other machines, as unix time. A worker whose own clock is wrong, or is set while it runs, would end
every call that has one. The server's clock is asked now and then, and the monotonic clock counts in between.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

SYNC_SECONDS = 10.0
# A worker whose clock is wrong by more is worth a word in its log.
_WRONG_SECONDS = 5.0


class Server(Protocol):
    def time(self) -> Awaitable[tuple[int, int]]: ...


class FleetClock:
    """Unix time as the server has it. Until the server was asked for the first time, as this machine has it."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._offset: float | None = None  # of unix time to the monotonic clock
        self._is_wrong = False

    def now(self) -> float:
        return self._wall() if self._offset is None else self._monotonic() + self._offset

    async def sync(self, server: Server) -> None:
        """Ask once. Raises what redis-py raises."""
        asked_at = self._monotonic()
        seconds, microseconds = await server.time()
        answered_at = self._monotonic()
        told = seconds + microseconds / 1e6
        # When in between it looked at its clock is not known: what is believed is corrected no further than is certain.
        # A server that was stopped for ten seconds would move the fleet's time by five otherwise, and end calls early.
        least, most = told - answered_at, told - asked_at
        self._offset = (least + most) / 2 if self._offset is None else min(max(self._offset, least), most)
        wrong_by = self._wall() - self.now()
        if abs(wrong_by) > _WRONG_SECONDS and not self._is_wrong:
            logger.warning("this machine's clock differs by %.0f s from the server's, which counts", wrong_by)
        self._is_wrong = abs(wrong_by) > _WRONG_SECONDS

    async def run(self, server: Server) -> None:
        """Ask again and again. While the server is away the last answer holds."""
        while True:
            try:
                await self.sync(server)
            except (RedisError, OSError) as error:
                logger.debug("the server does not tell the time: %s", error)
            await asyncio.sleep(SYNC_SECONDS)
