"""Sends replies to producers, many in one round trip, and lets nobody go on before a reply is stored.

Where the queue is on the same server, a delivery's lease ends in the very step that stores its reply: that saves a
round trip, and leaves no moment in which a worker's death has an answered operation run again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from producer.backoff import Outage
from producer.envelope import CallHeader
from producer.keys import OPEN, REPLY_TTL_SECONDS, reply_key
from producer.tasklets import stop
from tasks.background import lasting
from tasks.redelivery.lease import Lease
from tasks.redelivery.scripts import ACKNOWLEDGE, ALSO_WHEN_FULL

logger = logging.getLogger(__name__)

# One round trip's worth at most; a larger one would hold up the server and this worker's loop.
_MAX_BATCH = 256

# A reply that takes its message's place is stored by a server that is full, too: only so does it become less full.
_ALSO_WHEN_FULL = "if #KEYS > 1 then " + ALSO_WHEN_FULL.format(3).strip() + " end"

# KEYS list, leased, leases, losses; ARGV seconds to live, reply, tag… An empty tag stands for no lease. Without any
# lease a server that is full says so before anything is done.
_PUSH = (
    ACKNOWLEDGE
    + _ALSO_WHEN_FULL
    + """
for index = 2, #ARGV, 2 do
  redis.call('RPUSH', KEYS[1], ARGV[index])
  if ARGV[index + 1] ~= '' then acknowledge(KEYS[2], KEYS[3], KEYS[4], ARGV[index + 1]) end
end
return redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
)

# KEYS answers, leased, leases, losses; ARGV open, place, reply, tag… The first answer counts, and none once the attempt
# was closed.
_PUT = (
    ACKNOWLEDGE
    + _ALSO_WHEN_FULL
    + """
local is_open = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
for index = 2, #ARGV, 3 do
  if is_open then redis.call('HSETNX', KEYS[1], ARGV[index], ARGV[index + 1]) end
  if ARGV[index + 2] ~= '' then acknowledge(KEYS[2], KEYS[3], KEYS[4], ARGV[index + 2]) end
end
return is_open
"""
)


class _Pending(NamedTuple):
    key: str
    place: int | None  # in a batch; None: for a producer
    data: bytes
    lease: Lease | None
    stored: asyncio.Future[bool]


class ReplySender:
    """Collects what threads of work want to send while the last batch is on its way: one connection, little waiting."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pending: list[_Pending] = []
        self._wake = asyncio.Event()
        self._outage = Outage("sending replies", logger)

    async def send(self, call: CallHeader, data: bytes, lease: Lease | None = None) -> bool:
        """Return when the reply is stored where the call wants it; while the server is away, that is when it is back.

        Says whether the lease was ended with it. Cancelling gives up waiting; the reply may still be sent.
        """
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if call.batch is None:
            self._pending.append(_Pending(reply_key(call.reply_to), None, data, lease, stored))
        else:
            self._pending.append(_Pending(call.batch.key, call.batch.place, data, lease, stored))
        self._wake.set()
        return await stored

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ReplySender"]:
        """Sends until the block is left; what is unsent then is cancelled."""
        task = asyncio.create_task(lasting("sending replies", self._run), name="replies")
        try:
            yield self
        finally:
            await stop(task)
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
            for_now = {key: error for key, error in refused.items() if "WRONGTYPE" not in str(error)}
            # To the end: what the server does not take must not hold up what it does.
            self._pending = self._pending[len(batch) :] + [each for each in batch if each.key in for_now]
            for each in batch:
                if each.key in for_now:
                    continue
                if each.key in refused:
                    logger.error("a reply to %s cannot be stored and is dropped: %s", each.key, refused[each.key])
                if not each.stored.done():
                    each.stored.set_result(each.lease is not None and each.key not in refused)
            if for_now:
                await self._outage.wait(next(iter(for_now.values())))
            else:
                self._outage.over()

    async def _store(self, batch: list[_Pending]) -> dict[str, ResponseError]:
        """Store what can be; returns what refused its replies, by key. Raises when nothing is known of any."""
        by_key: dict[str, list[_Pending]] = {}
        for each in batch:
            by_key.setdefault(each.key, []).append(each)
        if len(by_key) == 1:  # one command goes without what a pipeline costs
            try:
                answers: list[object] = [await self._eval(self._redis, batch)]
            except ResponseError as error:
                answers = [error]
        else:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for replies in by_key.values():
                    self._eval(pipeline, replies)
                answers = await pipeline.execute(raise_on_error=False)
        refused: dict[str, ResponseError] = {}
        for key, answer in zip(by_key, answers, strict=True):
            if isinstance(answer, ResponseError):
                refused[key] = answer
            elif isinstance(answer, Exception):
                raise answer
        return refused

    def _eval(self, redis: Any, replies: list[_Pending]) -> Any:
        """Store the replies to one key: on a pipeline, or to be awaited."""
        keys = [replies[0].key]
        # A worker consumes one queue.
        if lease := next((each.lease for each in replies if each.lease is not None), None):
            keys += [lease.keys.leased, lease.keys.leases, lease.keys.losses]
        arguments: list[Any]
        if replies[0].place is None:
            arguments = [REPLY_TTL_SECONDS, *(part for each in replies for part in (each.data, _tag(each)))]
            return redis.eval(_PUSH, len(keys), *keys, *arguments)
        arguments = [OPEN, *(part for each in replies for part in (each.place, each.data, _tag(each)))]
        return redis.eval(_PUT, len(keys), *keys, *arguments)


def _tag(reply: _Pending) -> str:
    return "" if reply.lease is None else reply.lease.tag
