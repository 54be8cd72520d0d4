"""Receiving replies: one connection per client, however many calls are waiting.

Replies are looked at first and removed after they were delivered, so that a connection that breaks in between loses
none; at worst one is read twice, and the second finds nobody waiting. The blocking look is a BLMOVE of the list's head
onto itself (Redis 6.2 and Valkey know it).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import cast

import msgspec
from redis.exceptions import OutOfMemoryError

from producer.backoff import Outage
from producer.connection import broker_errors, open_redis
from producer.errors import BrokerUnavailableError, WireError
from producer.keys import REVOKED, REVOKED_TTL_SECONDS, reply_key
from producer.reply import Reply, decode_reply
from producer.unreadable import UNREADABLE

_logger = logging.getLogger("leanfleet.replies")

BATCH = 256
FULL_SECONDS = 0.1  # between looks at a server that has no memory left
WAIT_SECONDS = 5  # how long the server holds a read; well below the connection's own limit
# With so many calls in flight each waits for others anyway, so that what arrives meanwhile is read in one go. Replies
# that are read one by one cost several times the CPU.
CROWD = 32
GATHER_SECONDS = 0.004

# The head is taken from the left and put back to the left: nothing moves.
_END = "LEFT"


class _Addressee(msgspec.Struct):
    call_id: str


class RedisReplies:
    """A list of its own for each client, and one set of revoked calls for all."""

    def __init__(
        self,
        url: str,
        producer_id: str,
        *,
        on_reply: Callable[[Reply], None],
        on_unreadable: Callable[[str, WireError], None],
        in_flight: Callable[[], int],
    ) -> None:
        self._url = url
        self._key = reply_key(producer_id)
        self._redis = open_redis(url)
        self._reader = open_redis(url)
        self._on_reply = on_reply
        self._on_unreadable = on_unreadable
        self._in_flight = in_flight
        self._delivered = 0  # entries at the head that may be removed
        self._outage = Outage("reading replies", _logger)

    @property
    def is_away(self) -> bool:
        """Whether the server could not be reached when it was last asked."""
        return self._outage.failures > 0

    async def connect(self) -> None:
        with broker_errors(self._url):
            await self._redis.ping()

    async def run(self) -> None:
        outage = self._outage
        while True:
            try:
                with broker_errors(self._url):
                    replies = await self._read()
            except BrokerUnavailableError as error:
                # Whether the last removal was carried out is not known: forget it rather than remove what is unread.
                self._delivered = 0
                await outage.wait(error)
                continue
            outage.over()
            for data in replies:
                self._deliver(data)
            self._delivered = len(replies)
            # A flood of replies never makes the reads above wait: let others on the loop have their turn.
            await asyncio.sleep(GATHER_SECONDS if self._in_flight() >= CROWD else 0)

    async def _read(self) -> Sequence[bytes]:
        async with self._reader.pipeline(transaction=False) as pipe:
            if self._delivered:
                pipe.ltrim(self._key, self._delivered, -1)
            pipe.lrange(self._key, 0, BATCH - 1)
            replies: list[bytes] = (await pipe.execute())[-1]
        self._delivered = 0
        if replies:
            return replies
        try:
            head = await self._reader.blmove(self._key, self._key, WAIT_SECONDS, _END, _END)
        except OutOfMemoryError:
            # A full server refuses what looks like a write. Replies must be read all the same: that makes room.
            await asyncio.sleep(FULL_SECONDS)
            return []
        return [] if head is None else [cast("bytes", head)]

    def _deliver(self, data: bytes) -> None:
        try:
            reply = decode_reply(data)
        except WireError as error:
            try:
                call_id = msgspec.json.decode(data, type=_Addressee).call_id
            except UNREADABLE:
                call_id = ""
            _logger.error("dropped a reply: %s", error, extra={"call_id": call_id})  # noqa: TRY400 - says all there is
            if call_id:
                self._on_unreadable(call_id, error)
        else:
            self._on_reply(reply)

    async def revoke(self, call_ids: Sequence[str]) -> None:
        now = time.time()
        with broker_errors(self._url):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zremrangebyscore(REVOKED, "-inf", now)
                pipe.zadd(REVOKED, dict.fromkeys(call_ids, now + REVOKED_TTL_SECONDS))
                pipe.expire(REVOKED, REVOKED_TTL_SECONDS)  # entries go when others come, the last ones with the key
                await pipe.execute()

    async def forget(self) -> None:
        with broker_errors(self._url):
            await self._redis.unlink(self._key)

    async def close(self) -> None:
        try:
            await self._reader.aclose()
        finally:
            await self._redis.aclose()
