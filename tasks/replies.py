"""Sends replies to producers, many in one round trip, and lets nobody go on before a reply is stored."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from producer.backoff import Outage
from producer.envelope import CallHeader
from producer.keys import OPEN, REPLY_TTL_SECONDS, batch_key, reply_key

logger = logging.getLogger(__name__)

# One round trip's worth at most; a larger one would hold up the server and this worker's loop.
_MAX_BATCH = 256

# KEYS answers; ARGV open, place, reply, place, reply… The first answer counts, and none once the attempt was closed.
_PUT = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
local stored = 0
for index = 2, #ARGV, 2 do stored = stored + redis.call('HSETNX', KEYS[1], ARGV[index], ARGV[index + 1]) end
return stored
"""


class _Pending(NamedTuple):
    key: str
    place: int | None  # in a batch; None: for a producer
    data: bytes
    stored: asyncio.Future[None]


class ReplySender:
    """Collects what threads of work want to send while the last batch is on its way: one connection, little waiting."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pending: list[_Pending] = []
        self._wake = asyncio.Event()
        self._outage = Outage("sending replies", logger)

    async def send(self, call: CallHeader, data: bytes) -> None:
        """Return when the reply is stored where the call wants it; while the server is away, that is when it is back.

        Cancelling gives up waiting; the reply may still be sent.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if call.batch is None:
            self._pending.append(_Pending(reply_key(call.reply_to), None, data, stored))
        else:
            key = batch_key(call.batch.id, call.batch.attempt, call.batch.user)
            self._pending.append(_Pending(key, call.batch.place, data, stored))
        self._wake.set()
        await stored

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ReplySender"]:
        """Sends until the block is left; what is unsent then is cancelled."""
        task = asyncio.create_task(self._run(), name="replies")
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
            for each in self._pending:
                each.stored.cancel()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            # Who stopped waiting (a drain gave the delivery back) needs no reply from here.
            self._pending = [each for each in self._pending if not each.stored.done()]
            batch = self._pending[:_MAX_BATCH]
            if not batch:
                self._wake.clear()
                continue
            try:
                refused = await self._store(batch)
            except (RedisError, OSError) as error:
                await self._outage.wait(error)
                continue
            self._outage.over()
            del self._pending[: len(batch)]
            for each in batch:
                if each.key in refused:
                    logger.error("a reply to %s cannot be stored and is dropped: %s", each.key, refused[each.key])
                if not each.stored.done():
                    each.stored.set_result(None)

    async def _store(self, batch: list[_Pending]) -> dict[str, ResponseError]:
        """Store all; returns the keys that refuse replies for ever. Raises when trying again can help."""
        by_key: dict[str, list[_Pending]] = {}
        for each in batch:
            by_key.setdefault(each.key, []).append(each)
        asked: list[str] = []  # the key of each command
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, replies in by_key.items():
                if replies[0].place is None:
                    pipeline.rpush(key, *(each.data for each in replies))
                    pipeline.expire(key, REPLY_TTL_SECONDS)
                    asked += [key, key]
                else:
                    arguments = [argument for each in replies for argument in (str(each.place), each.data)]
                    pipeline.eval(_PUT, 1, key, OPEN, *arguments)
                    asked.append(key)
            answers = await pipeline.execute(raise_on_error=False)
        refused = {}
        for key, answer in zip(asked, answers, strict=True):
            if isinstance(answer, ResponseError) and "WRONGTYPE" in str(answer):
                refused[key] = answer
            elif isinstance(answer, Exception):
                raise answer
        return refused
