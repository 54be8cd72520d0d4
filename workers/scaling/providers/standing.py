"""Machines that somebody else starts and ends: containers, a cluster's nodes, a computer under the desk.

Nothing can be asked for here. A controller over them watches: it measures the queue for Prometheus, and says how many
machines it would have.
"""

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.scaling.providers.provider import CapacityError, Instance, ProviderError
from workers.scaling.snapshot import Offer
from workers.telemetry import read_reports


class StandingProvider:
    """Its machines are those whose workers report themselves. `redis` is not closed here."""

    def __init__(self, redis: Redis, queue: str, offers: Sequence[Offer]) -> None:
        """All machines are taken for ones of the first offer."""
        self.offers = tuple(offers)
        self._redis = redis
        self._queue = queue

    async def instances(self) -> Sequence[Instance]:
        try:
            reports = await read_reports(self._redis, self._queue)
        except (RedisError, OSError) as error:
            raise ProviderError(f"the workers' reports cannot be read: {error}") from error
        offer = self.offers[0].name
        # Known from their first report on, which comes when most of a boot is over.
        machines = sorted({report.machine for report in reports})
        return [Instance(id=machine, offer=offer, boot_is_seen=False) for machine in machines]

    async def launch(self, offer: str, count: int) -> None:
        raise CapacityError(f"{offer}: {count} more are wanted, and not for us to start")

    async def refused(self) -> Mapping[str, str]:
        return {}

    async def protect(self, ids: Sequence[str]) -> None:
        """Nothing: nobody shrinks anything here."""

    async def terminate(self, ids: Sequence[str]) -> None:
        """Nothing: they end by whoever started them."""

    async def stand_by(self) -> None:
        """Nothing: whoever leads sees the same machines."""

    async def close(self) -> None:
        """Nothing is held."""
