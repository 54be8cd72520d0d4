"""A worker's word to whoever sizes the fleet: every few seconds what it has done and holds, and whether to drain."""

import asyncio
import logging
import platform
import time
from collections.abc import Callable

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.telemetry import REPORT_SECONDS, Meter, WorkerReport, WorkerState, publish, withdraw

logger = logging.getLogger(__name__)

_WITHDRAW_SECONDS = 2.0


class MachineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Table `[machine]`, variables `LEANFLEET_MACHINE_…`: what only the machine itself can know."""

    id: str = ""  # as its provider names it (AWS: the instance's id, GCP: its name); empty: the host's name
    provider: str = ""  # aws or gcp: whose notices of preemption to heed; empty: nobody's
    metadata_url: str = ""  # instead of the provider's usual address

    @property
    def name(self) -> str:
        return self.id or platform.node()


class Reporter:
    """`run` until cancelled. `started`, `draining` and `held` are asked at each report, from the event loop.

    `held` is how many deliveries the worker has and did not acknowledge. `drain` is called at each report while the
    machine is ordered to drain, since a connection that was made anew knows nothing of it.
    """

    def __init__(
        self,
        *,
        queue: str,
        worker: str,
        machine: str,
        slots: int,
        meter: Meter,
        started: Callable[[], bool],
        draining: Callable[[], bool],
        held: Callable[[], int],
        drain: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._worker = worker
        self._machine = machine
        self._slots = slots
        self._meter = meter
        self._started = started
        self._draining = draining
        self._held = held
        self._drain = drain
        self._started_at = time.time()
        self._empty_before = False

    async def run(self, redis: Redis) -> None:
        failing = False
        try:
            while True:
                try:
                    ordered = await publish(redis, self._queue, self.report())
                except (RedisError, OSError) as error:
                    log = logger.debug if failing else logger.warning
                    log("cannot report to the controller, trying again until it works: %s", error)
                    failing = True
                else:
                    failing = False
                    if ordered:
                        self._drain()
                await asyncio.sleep(REPORT_SECONDS)
        finally:
            await self._withdraw(redis)

    def report(self) -> WorkerReport:
        """What is true now."""
        held = self._held()
        return WorkerReport(
            worker=self._worker,
            machine=self._machine,
            state=self._state(held),
            slots=self._slots,
            warm_slots=self._slots if self._started() else 0,
            in_flight=held,
            started_at=self._started_at,
            usage=self._meter.usage(),
        )

    def _state(self, held: int) -> WorkerState:
        if not self._draining():
            self._empty_before = False
            return WorkerState.WARM if self._started() else WorkerState.STARTING
        # Empty at two reports: a message may have been on its way here when the taking stopped.
        drained = held == 0 and self._empty_before
        self._empty_before = held == 0
        return WorkerState.DRAINED if drained else WorkerState.DRAINING

    async def _withdraw(self, redis: Redis) -> None:
        try:
            async with asyncio.timeout(_WITHDRAW_SECONDS):
                await withdraw(redis, self._queue, self._worker)
        except (RedisError, OSError, TimeoutError) as error:
            logger.debug("the last report stays until it expires: %s", error)
