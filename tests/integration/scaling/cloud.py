"""A cloud in memory, and workers on its machines that exist only in their reports."""

import itertools
from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from workers.scaling.providers.provider import CapacityError, Instance, ProviderError
from workers.scaling.snapshot import Offer
from workers.telemetry import Usage, WorkerReport, WorkerState, drain_key, publish


class Cloud:
    """Obeys at once. `dry` offers have nothing; with `error` set, every call raises it."""

    def __init__(self, *offers: Offer) -> None:
        self.offers: Sequence[Offer] = offers
        self.dry: set[str] = set()
        self.error: ProviderError | None = None
        self.machines: dict[str, str] = {}  # id → offer
        self.launched: list[tuple[str, int]] = []
        self.terminated: list[str] = []
        self.protected: list[str] = []
        self.late_refusals: dict[str, str] = {}
        self.stood_by = 0
        self._numbers = itertools.count(1)

    async def instances(self) -> Sequence[Instance]:
        self._may_fail()
        return [Instance(id=name, offer=offer) for name, offer in self.machines.items()]

    async def launch(self, offer: str, count: int) -> None:
        self._may_fail()
        if offer in self.dry:
            raise CapacityError(f"no {offer} to be had")
        self.launched.append((offer, count))
        for _ in range(count):
            self.machines[f"m{next(self._numbers)}"] = offer

    async def refused(self) -> Mapping[str, str]:
        self._may_fail()
        refused, self.late_refusals = self.late_refusals, {}
        return refused

    async def protect(self, ids: Sequence[str]) -> None:
        self._may_fail()
        self.protected = list(ids)

    async def terminate(self, ids: Sequence[str]) -> None:
        self._may_fail()
        self.terminated += ids
        for name in ids:
            self.machines.pop(name, None)

    async def stand_by(self) -> None:
        self.stood_by += 1

    async def close(self) -> None:
        """Nothing to give up."""

    def _may_fail(self) -> None:
        if self.error is not None:
            raise self.error


class Workers:
    """One worker on each machine that was told to report."""

    def __init__(self, redis: Redis, queue: str, *, slots: int = 8) -> None:
        self.redis = redis
        self._queue = queue
        self._slots = slots

    async def say(
        self,
        *machines: str,
        state: WorkerState = WorkerState.WARM,
        in_flight: int = 0,
        usage: dict[str, Usage] | None = None,
        started_at: float = 0.0,
        preempted: bool = False,
    ) -> None:
        for machine in machines:
            report = WorkerReport(
                worker=f"worker-{machine}",
                machine=machine,
                state=state,
                slots=self._slots,
                warm_slots=self._slots,
                in_flight=in_flight,
                started_at=started_at,
                usage=usage or {},
                preempted=preempted,
            )
            await publish(self.redis, self._queue, report)

    async def are_ordered_to_drain(self, *machines: str) -> bool:
        return await self.redis.exists(*[drain_key(machine) for machine in machines]) == len(machines)

    async def fall_silent(self, *machines: str) -> None:
        """As when their reports expire."""
        await self.redis.delete(*[f"leanfleet:worker:{self._queue}:worker-{machine}" for machine in machines])
