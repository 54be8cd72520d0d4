"""The broker's side of one attempt: where its answers arrive, and how far its messages were published."""

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from producer.connection import broker_errors
from producer.keys import BATCH_TTL_SECONDS, OPEN, PUBLISHED

# Fields in one command: larger ones hold up everybody else's commands at a Redis.
CHUNK = 1000
# A publisher that stops for so long has ended, and another one may go on.
_LOCK_SECONDS = 30

# KEYS answers; ARGV open, published, count. Whether the attempt is still open.
_ADVANCE = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
"""
# KEYS answers; ARGV places, as one argument: a thousand take the client five times as long to write.
_READ = "return redis.call('HMGET', KEYS[1], unpack(cmsgpack.unpack(ARGV[1])))"
_REMOVE = "return redis.call('HDEL', KEYS[1], unpack(cmsgpack.unpack(ARGV[1])))"
# KEYS lock; ARGV token, seconds.
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('EXPIRE', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Mail(NamedTuple):
    """What a look into the mailbox saw: `waiting` are the places whose answers nobody has moved yet."""

    is_open: bool
    published: int
    waiting: frozenset[int]


class Lock:
    """Of a publisher; `renew` says whether it is still ours, and raises as a mailbox's methods do."""

    def __init__(self, redis: Redis, url: str, key: str, token: str) -> None:
        self._redis, self._url, self._key, self._token = redis, url, key, token

    async def renew(self) -> bool:
        with broker_errors(self._url):
            scripted: Any = self._redis.eval(_RENEW, 1, self._key, self._token, str(_LOCK_SECONDS))
            return bool(await scripted)


class Mailbox:
    """All methods raise BrokerUnavailableError when the server cannot be reached."""

    def __init__(self, redis: Redis, url: str, key: str) -> None:
        """With the `key` of the hash, as `producer.keys.batch_key` gives it."""
        self._redis: Any = redis  # its stubs serve the blocking client as well, and so say nothing
        self._url = url
        self._key = key

    async def open(self) -> None:
        """Take answers from now on. Opening it again changes nothing."""
        with broker_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(self._key, OPEN, "1")
                pipe.expire(self._key, BATCH_TTL_SECONDS)
                await pipe.execute()

    async def look(self) -> Mail:
        with broker_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hmget(self._key, [OPEN, PUBLISHED])
                pipe.hkeys(self._key)
                (is_open, published), fields = await pipe.execute()
        waiting = frozenset(int(field) for field in fields if field.isdigit())
        return Mail(is_open is not None, int(published or 0), waiting)

    async def read(self, places: Iterable[int]) -> dict[int, bytes]:
        """The answers at these places; one that somebody has moved meanwhile is left out."""
        found: dict[int, bytes] = {}
        for some in _chunks(places):
            with broker_errors(self._url):
                answers = await self._redis.eval(_READ, 1, self._key, _packed(some))
            found.update((place, answer) for place, answer in zip(some, answers, strict=True) if answer is not None)
        return found

    async def remove(self, places: Iterable[int]) -> None:
        """Free the server of answers that are in the store."""
        for some in _chunks(places):
            with broker_errors(self._url):
                await self._redis.eval(_REMOVE, 1, self._key, _packed(some))

    async def close(self) -> None:
        """Take no more answers and forget those that are here: workers then drop what they have not begun."""
        with broker_errors(self._url):
            await self._redis.unlink(self._key)

    async def advance(self, published: int) -> bool:
        """Note how many messages are in the queue; False when the attempt was closed, and no more need to be."""
        with broker_errors(self._url):
            return bool(await self._redis.eval(_ADVANCE, 1, self._key, OPEN, PUBLISHED, str(published)))

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[Lock | None]:
        """Be the only publisher inside the block; None when there is another one."""
        key, token = f"{self._key}:publisher", secrets.token_hex(8)
        with broker_errors(self._url):
            taken = await self._redis.set(key, token, nx=True, ex=_LOCK_SECONDS)
        if not taken:
            yield None
            return
        try:
            yield Lock(self._redis, self._url, key, token)
        finally:
            with broker_errors(self._url):
                await self._redis.eval(_RELEASE, 1, key, token)


def _packed(places: list[int]) -> bytes:
    return msgspec.msgpack.encode(places)


def _chunks(places: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(places)
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))
