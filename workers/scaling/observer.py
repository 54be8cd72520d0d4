"""What the queue and the workers look like from the broker's side. Reads only; nothing here changes what it sees."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from amqp.exceptions import NotFound
from redis.asyncio import Redis

from producer.connection import broker_errors, open_redis
from producer.errors import BrokerUnavailableError
from producer.lane import PRIORITIES, ring_key
from producer.quorum import AmqpAddress, amqp_addresses
from producer.rabbitmq import connection_to
from producer.settings import Settings, without_password
from workers.telemetry import WorkerReport, read_reports

SAMPLES = 8  # places of a long queue that are looked at
NEIGHBOURS = 8  # messages at each of them
CONNECT_SECONDS = 5.0

# KEYS queue, leases, interactive ring, bulk ring; ARGV samples, neighbours. Returns the queue's length, how many
# deliveries are leased, how many wait at the interactive level, how many producers wait, and for messages at even
# distances: place, kind, when it was enqueued (or ""). Whole messages have their place in the queue. Those in lanes
# are where they will be when the lanes of a level take turns, the interactive level first: behind all that is as deep
# in its own lane. It looks for words instead of decoding: a message may be a megabyte, and the server waits for us.
# What users write is base64 in the body, and quotes in the headers are escaped, so the patterns cannot be met by
# chance.
_LOOK = """
local length = redis.call('LLEN', KEYS[1])
local samples, neighbours = tonumber(ARGV[1]), tonumber(ARGV[2])
local found = {length, redis.call('ZCARD', KEYS[2]), 0, 0}
local is_short = length <= samples * neighbours

local function look(list, length, samples, neighbours, place_of)
  local stretches = {}
  if is_short or length <= samples * neighbours then
    stretches = {{0, length}}
  else
    for sample = 0, samples - 1 do stretches[sample + 1] = {math.floor(length * sample / samples), neighbours} end
  end
  for _, stretch in ipairs(stretches) do
    local messages = redis.call('LRANGE', list, -stretch[1] - stretch[2], -stretch[1] - 1)
    for back = #messages, 1, -1 do
      local message = messages[back]
      if message ~= '' then
        found[#found + 1] = place_of(stretch[1] + #messages - back)
        found[#found + 1] = string.match(message, '"task":%s*"leanfleet%.([%w_]+)"') or ''
        found[#found + 1] = string.match(message, '"enqueued_at":%s*([%d%.eE+]+)') or ''
      end
    end
  end
end

look(KEYS[1], length, samples, neighbours, function(depth) return depth end)
local before = 0
for ring = 3, 4 do
  local producers = redis.call('LRANGE', KEYS[ring], 0, -1)
  local lengths, level = {}, 0
  for index, producer in ipairs(producers) do
    lengths[index] = redis.call('LLEN', KEYS[ring] .. ':' .. producer)
    level = level + lengths[index]
  end
  local step = math.ceil(#producers / (samples * neighbours))
  local looked_at = step > 0 and math.ceil(#producers / step) or 0
  for index = 1, #producers, math.max(step, 1) do
    local function place_of(depth)
      local place = before
      for other, ahead in ipairs(lengths) do
        place = place + math.min(ahead, other < index and depth + 1 or depth)
      end
      return math.min(place, length - 1)
    end
    local places = math.max(1, math.floor(samples / looked_at))
    local each = math.max(1, math.floor(samples * neighbours / looked_at / places))
    look(KEYS[ring] .. ':' .. producers[index], lengths[index], places, each, place_of)
  end
  if ring == 3 then found[3] = level end
  found[4] = found[4] + #producers
  before = before + level
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
    """One look. `in_flight` is None where the broker does not tell, and so are `interactive`, how many of the queued
    wait at that level, and `producers`, how many have something waiting at one of the levels.
    """

    queued: int
    in_flight: int | None
    samples: tuple[SampledMessage, ...]
    reports: tuple[WorkerReport, ...]
    interactive: int | None = None
    producers: int | None = None

    def kinds(self, first: int, end: int) -> Counter[str]:
        """The kinds of the sampled messages at these places."""
        return Counter(each.kind for each in self.samples if first <= each.place < end)


class QueueSight(NamedTuple):
    """The broker's side of a sight."""

    queued: int
    in_flight: int | None = None
    samples: tuple[SampledMessage, ...] = ()
    interactive: int | None = None
    producers: int | None = None


class QueueReader(Protocol):
    async def read(self) -> QueueSight:
        """Raise BrokerUnavailableError when it cannot be seen."""

    async def close(self) -> None:
        """Give up the connection."""


class RedisQueue:
    """A Redis list, pushed at its left and taken from its right, and the lanes that it has tickets for."""

    def __init__(self, redis: Redis, url: str, queue: str) -> None:
        self._url = url
        self._keys = [queue, leases_key(queue), *(ring_key(queue, priority) for priority in PRIORITIES)]
        self._look: Any = redis.register_script(_LOOK)

    async def read(self) -> QueueSight:
        with broker_errors(self._url):
            length, leased, interactive, producers, *words = await self._look(
                keys=self._keys, args=[SAMPLES, NEIGHBOURS]
            )
        found = (
            SampledMessage(int(place), kind.decode(), _number(enqueued_at))
            for place, kind, enqueued_at in zip(words[::3], words[1::3], words[2::3], strict=True)
        )
        samples = sorted(found, key=itemgetter(0))
        return QueueSight(int(length), int(leased), tuple(samples), int(interactive), int(producers))

    async def close(self) -> None:
        """Nothing: the connection is whoever's gave it."""


class AmqpQueue:
    """A RabbitMQ queue: it tells its length and nothing of its messages."""

    def __init__(self, url: str, queue: str) -> None:
        self._url = url
        self._queue = queue

    async def read(self) -> QueueSight:
        return QueueSight(await asyncio.to_thread(self._length))

    def _length(self) -> int:
        """As the first node says that answers; each is checked against its own name."""
        failure: Exception | None = None
        for address in amqp_addresses(self._url):
            try:
                return self._length_at(address)
            except Exception as error:  # noqa: BLE001 - py-amqp's are of every kind, and a loop of months must outlive each
                failure = error
        raise BrokerUnavailableError(
            f"the broker at {without_password(self._url)} cannot be used: {failure!r}"
        ) from failure

    def _length_at(self, address: AmqpAddress) -> int:
        with connection_to(address, connect_seconds=CONNECT_SECONDS, reply_seconds=CONNECT_SECONDS) as connection:
            channel: Any = connection.channel()
            try:
                return int(channel.queue_declare(self._queue, passive=True).message_count)
            except NotFound:
                return 0  # nobody has published or listened yet

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
        queue = await self._queue.read()
        with broker_errors(self._url):
            reports = await read_reports(self._redis, self._name)
        return Sight(**queue._asdict(), reports=tuple(reports))

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
