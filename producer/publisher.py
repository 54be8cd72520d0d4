"""Putting messages on Redis or Valkey, many in one command."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from producer.connection import REFUSALS, broker_errors, open_redis
from producer.envelope import TaskMessage, redis_envelope
from producer.errors import BrokerRefusedError, SettingsError
from producer.lane import Lane
from producer.quorum import SCHEMES as AMQP_SCHEMES
from producer.settings import REDIS_SCHEMES, without_password
from producer.transport import Publisher

# One command's worth of messages at most: a larger one holds up everyone else's commands at a Redis.
MAX_COMMAND_BYTES = 1_000_000

# KEYS queue, ring, lane; ARGV producer, entries… Each entry is worth a ticket in the queue, for which workers wait.
# First the tickets: where a script breaks off (a queue that is no list, a right that is missing), nothing may wait
# without one. None of the commands reads what is there, so that a producer's user needs no right to.
PUBLISH = """
local tickets = {}
for index = 2, #ARGV do tickets[index - 1] = '' end
for first = 1, #tickets, 1000 do
  redis.call('LPUSH', KEYS[1], unpack(tickets, first, math.min(first + 999, #tickets)))
end
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
for first = 2, #ARGV, 1000 do
  redis.call('LPUSH', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
"""

# KEYS queue, lane. Which of them go is all the same; as many are left as messages are.
WITHDRAW = """
local count = redis.call('LLEN', KEYS[2])
if count > 0 then
  redis.call('LREM', KEYS[1], count, '')
  redis.call('UNLINK', KEYS[2])
end
return count
"""


class RedisPublisher:
    """A queue is a Redis list with a ticket for each message; the message waits in a lane: see `producer.lane`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = open_redis(url)
        self._script: Any = self._redis.register_script(PUBLISH)
        self._withdraw: Any = self._redis.register_script(WITHDRAW)

    async def connect(self) -> None:
        with broker_errors(self._url):
            try:
                await self._redis.ping()
            except REFUSALS as error:
                # No later try can help: fail with what to do, and not with what was tried.
                raise BrokerRefusedError(
                    f"the broker at {without_password(self._url)} refused us ({error}): "
                    "check user and password in LEANFLEET_BROKER_URL"
                ) from error

    async def publish(self, lane: Lane, messages: Sequence[TaskMessage]) -> None:
        chunk: list[bytes] = []
        size = 0
        for message in messages:
            entry = lane_entry(message, lane.queue)
            if chunk and size + len(entry) > MAX_COMMAND_BYTES:
                await self._push(lane, chunk)
                chunk, size = [], 0
            chunk.append(entry)
            size += len(entry)
        if chunk:
            await self._push(lane, chunk)

    async def _push(self, lane: Lane, entries: list[bytes]) -> None:
        with broker_errors(self._url):
            await self._script(keys=[lane.queue, lane.ring, lane.key], args=[lane.producer, *entries])

    async def backlog(self, lane: Lane) -> int:
        with broker_errors(self._url):
            return int(await self._redis.llen(lane.key))

    async def withdraw(self, lane: Lane) -> int:
        with broker_errors(self._url):
            return int(await self._withdraw(keys=[lane.queue, lane.key]))

    async def close(self) -> None:
        await self._redis.aclose()


def lane_entry(message: TaskMessage, queue: str) -> bytes:
    """What waits in a lane: the message, with its delivery tag in front for the script that leases it."""
    tag = os.urandom(16).hex()
    return b"%s %s" % (tag.encode(), redis_envelope(message, queue, tag=tag))


def open_publisher(url: str) -> Publisher:
    """The publisher for a broker's address. Raise SettingsError for a broker that none exists for."""
    scheme = urlsplit(url).scheme
    if scheme in REDIS_SCHEMES:
        return RedisPublisher(url)
    if scheme in AMQP_SCHEMES:
        try:
            from producer.rabbitmq import RabbitPublisher  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"RabbitMQ needs the package {error.name}: install leanfleet with its `rabbitmq` extra "
                "(pip install 'leanfleet[rabbitmq]')"
            ) from error
        return RabbitPublisher(url)
    raise SettingsError(
        f"no broker of this kind is supported: {without_password(url)} (use redis://, rediss://, sentinel:// or amqp://)"
    )
