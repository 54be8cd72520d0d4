"""Putting messages on Redis or Valkey, many in one command."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from producer.connection import REFUSALS, broker_errors, open_redis
from producer.envelope import TaskMessage, redis_envelope
from producer.errors import BrokerRefusedError, SettingsError
from producer.quorum import SCHEMES as AMQP_SCHEMES
from producer.settings import without_password
from producer.transport import Publisher

# One command's worth of messages at most: a larger one holds up everyone else's commands at a Redis.
MAX_COMMAND_BYTES = 1_000_000


class RedisPublisher:
    """A queue is a Redis list: pushed at its left, popped at its right."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = open_redis(url)

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

    async def publish(self, queue: str, messages: Sequence[TaskMessage]) -> None:
        chunk: list[bytes] = []
        size = 0
        for message in messages:
            envelope = redis_envelope(message, queue)
            if chunk and size + len(envelope) > MAX_COMMAND_BYTES:
                await self._push(queue, chunk)
                chunk, size = [], 0
            chunk.append(envelope)
            size += len(envelope)
        if chunk:
            await self._push(queue, chunk)

    async def _push(self, queue: str, envelopes: list[bytes]) -> None:
        with broker_errors(self._url):
            await self._redis.lpush(queue, *envelopes)

    async def backlog(self, queue: str) -> int:
        with broker_errors(self._url):
            return int(await self._redis.llen(queue))

    async def close(self) -> None:
        await self._redis.aclose()


def open_publisher(url: str) -> Publisher:
    """The publisher for a broker's address. Raise SettingsError for a broker that none exists for."""
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss", "sentinel", "unix"):
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
