"""What the queue and the workers look like from the broker's side. Reads only; nothing here changes what it sees."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import kombu
from redis.asyncio import Redis

from producer.connection import broker_errors, open_redis
from producer.errors import BrokerUnavailableError
from producer.quorum import amqp_addresses
from producer.settings import Settings, without_password
from workers.telemetry import WorkerReport, read_reports

SAMPLES = 8  # places of a long queue that are looked at
NEIGHBOURS = 8  # messages at each of them
CONNECT_SECONDS = 5.0

# KEYS queue, leases; ARGV samples, neighbours. Returns the queue's length, how many deliveries are leased, and for
# messages at even distances, oldest first: position from the oldest, kind, when it was enqueued (or "").
# It looks for words instead of decoding: a message may be a megabyte, and the server waits for us. What users write is
# base64 in the body, and quotes in the headers are escaped, so the patterns cannot be met by chance.
_LOOK = """
local length = redis.call('LLEN', KEYS[1])
local found = {length, redis.call('ZCARD', KEYS[2])}
local samples, neighbours = tonumber(ARGV[1]), tonumber(ARGV[2])
local places = {}
if length <= samples * neighbours then
  places = {{0, length}}
else
  for sample = 0, samples - 1 do places[sample + 1] = {math.floor(length * sample / samples), neighbours} end
end
for _, place in ipairs(places) do
  local messages = redis.call('LRANGE', KEYS[1], -place[1] - place[2], -place[1] - 1)
  for back = #messages, 1, -1 do
    local message = messages[back]
    found[#found + 1] = place[1] + #messages - back
    found[#found + 1] = string.match(message, '"task":%s*"leanfleet%.([%w_]+)"') or ''
    found[#found + 1] = string.match(message, '"enqueued_at":%s*([%d%.eE+]+)') or ''
  end
end
return found
"""


def leases_key(queue: str) -> str:
    """The sorted set of deliveries that workers hold; `tasks.redelivery.keys` writes it, and a test compares."""
    return f"leanfleet:leases:{queue}"


class SampledMessage(NamedTuple):
    """`place` counts from the oldest message. `kind` is empty for what is no operation."""

    place: int
    kind: str
    enqueued_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One look. `in_flight` is None where the broker does not tell."""

    queued: int
    in_flight: int | None
    samples: tuple[SampledMessage, ...]
    reports: tuple[WorkerReport, ...]

    def kinds(self, first: int, end: int) -> Counter[str]:
        """The kinds of the sampled messages at these places."""
        return Counter(each.kind for each in self.samples if first <= each.place < end)


class QueueReader(Protocol):
    """The broker's side of a sight."""

    async def read(self) -> tuple[int, int | None, tuple[SampledMessage, ...]]:
        """Length, deliveries in flight, samples. Raises BrokerUnavailableError."""

    async def close(self) -> None:
        """Give up the connection."""


class RedisQueue:
    """A Redis list, as Celery writes it: pushed at its left, taken from its right."""

    def __init__(self, redis: Redis, url: str, queue: str) -> None:
        self._url = url
        self._keys = [queue, leases_key(queue)]
        self._look: Any = redis.register_script(_LOOK)

    async def read(self) -> tuple[int, int | None, tuple[SampledMessage, ...]]:
        with broker_errors(self._url):
            length, leased, *words = await self._look(keys=self._keys, args=[SAMPLES, NEIGHBOURS])
        samples = tuple(
            SampledMessage(int(place), kind.decode(), _number(enqueued_at))
            for place, kind, enqueued_at in zip(words[::3], words[1::3], words[2::3], strict=True)
        )
        return int(length), int(leased), samples

    async def close(self) -> None:
        """Nothing: the connection is whoever's gave it."""


class AmqpQueue:
    """A RabbitMQ queue: it tells its length and nothing of its messages."""

    def __init__(self, url: str, queue: str) -> None:
        self._url = url
        self._queue = queue

    async def read(self) -> tuple[int, int | None, tuple[SampledMessage, ...]]:
        return await asyncio.to_thread(self._length), None, ()

    def _length(self) -> int:
        try:
            first, *_ = amqp_addresses(self._url)
            plain, *_ = self._url.partition("?")  # kombu takes the way to check certificates apart from the URL
            with kombu.Connection(plain, ssl=first.tls or False, connect_timeout=CONNECT_SECONDS) as connection:
                try:
                    channel: Any = connection.default_channel
                    return int(channel.queue_declare(self._queue, passive=True).message_count)
                except connection.channel_errors:
                    return 0  # nobody has published or listened yet
        except Exception as error:
            # kombu passes through whatever its transports raise; a loop that runs for months must outlive each of them.
            raise BrokerUnavailableError(
                f"the broker at {without_password(self._url)} cannot be used: {error!r}"
            ) from error

    async def close(self) -> None:
        """Nothing: each look has a connection of its own."""


class Observer:
    """Looks at one queue and at all workers."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        """`redis` is where replies and reports are: `settings.reply_url`. The caller closes it."""
        self._redis = redis
        self._url = settings.reply_url
        self._name = settings.queue
        self._own: Redis | None = None
        scheme = urlsplit(settings.broker_url).scheme
        if scheme in ("amqp", "amqps"):
            self._queue: QueueReader = AmqpQueue(settings.broker_url, settings.queue)
        elif settings.broker_url == settings.reply_url:
            self._queue = RedisQueue(redis, settings.broker_url, settings.queue)
        else:
            self._own = open_redis(settings.broker_url)
            self._queue = RedisQueue(self._own, settings.broker_url, settings.queue)

    async def look(self) -> Sight:
        """Raise BrokerUnavailableError when it cannot be seen."""
        queued, in_flight, samples = await self._queue.read()
        with broker_errors(self._url):
            reports = await read_reports(self._redis, self._name)
        return Sight(queued=queued, in_flight=in_flight, samples=samples, reports=tuple(reports))

    async def close(self) -> None:
        await self._queue.close()
        if self._own is not None:
            await self._own.aclose()


def of_machines(reports: Sequence[WorkerReport]) -> dict[str, list[WorkerReport]]:
    """The reports by machine."""
    found: dict[str, list[WorkerReport]] = {}
    for report in reports:
        found.setdefault(report.machine, []).append(report)
    return found


def _number(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
