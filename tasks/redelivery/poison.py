"""Operations that take their REPL or their worker down: tried again elsewhere, and not for ever."""

from typing import NamedTuple

from redis.asyncio import Redis

from tasks.redelivery.settings import RedeliverySettings

# An operation is tried again at once; a count that nobody asked for in this time is of no use.
_COUNT_TTL_SECONDS = 24 * 3600


class Deaths(NamedTuple):
    """Counts, across workers, how often an operation's REPL died."""

    redis: Redis

    async def add(self, call_id: str) -> int:
        """Count one more and return how many that are. Raises what redis-py raises."""
        key = f"leanfleet:deaths:{call_id}"
        async with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, _COUNT_TTL_SECONDS)
            count, _ = await pipeline.execute()
        return int(count)

    async def forget(self, call_id: str) -> None:
        """The operation was answered."""
        await self.redis.delete(f"leanfleet:deaths:{call_id}")


class Returns(NamedTuple):
    """Counts how often a delivery was handed back on purpose: RabbitMQ counts these as it counts lost workers."""

    redis: Redis

    async def add(self, call_id: str) -> None:
        """Count one more. Raises what redis-py raises."""
        async with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(_returns_key(call_id))
            pipeline.expire(_returns_key(call_id), _COUNT_TTL_SECONDS)
            await pipeline.execute()

    async def so_far(self, call_id: str) -> int:
        """How often. Raises what redis-py raises."""
        return int(await self.redis.get(_returns_key(call_id)) or 0)


def _returns_key(call_id: str) -> str:
    return f"leanfleet:returns:{call_id}"


def too_many_losses(losses: int, settings: RedeliverySettings) -> bool:
    """Whether an operation whose worker vanished so often must not be run again."""
    return losses >= settings.max_worker_losses


def too_many_deaths(deaths: int, settings: RedeliverySettings) -> bool:
    """Whether an operation whose REPL died so often is answered `repl_died`."""
    return deaths >= settings.max_repl_deaths


class Bounces:
    """Hands an operation whose REPL died here on to others, a few times; after that there is nobody else.

    Redis gives a message to the consumer that waits longest, which is another one while any is idle. Not thread-safe.
    """

    def __init__(self, *, most: int = 3, remembered: int = 10_000) -> None:
        self._most = most
        self._remembered = remembered
        self._left: dict[str, int] = {}

    def died_here(self, call_id: str) -> None:
        self._left[call_id] = self._most
        while len(self._left) > self._remembered:
            del self._left[next(iter(self._left))]

    def is_for_others(self, call_id: str) -> bool:
        """Whether to hand it back; each time that this says yes counts."""
        left = self._left.get(call_id, 0)
        if left <= 0:
            self._left.pop(call_id, None)
            return False
        self._left[call_id] = left - 1
        return True
