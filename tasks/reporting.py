"""A worker's word to whoever sizes the fleet: every few seconds what it has done and holds, and whether to drain."""

import asyncio
import logging
import platform
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.tally import EngineSnapshot, Tally
from workers.telemetry import REPORT_SECONDS, Meter, Recent, Usage, WorkerReport, WorkerState, publish, withdraw

logger = logging.getLogger(__name__)

_WITHDRAW_SECONDS = 2.0
RECENT_SECONDS = 60.0


class MachineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Table `[machine]`, variables `LEANFLEET_MACHINE_…`: what only the machine itself can know."""

    id: str = ""  # as its provider names it (AWS: the instance's id, GCP: its name); empty: the host's name
    provider: str = ""  # aws or gcp: whose notices of preemption to heed; empty: nobody's
    metadata_url: str = ""  # instead of the provider's usual address

    @property
    def name(self) -> str:
        return self.id or platform.node()


class History:
    """What was counted at the reports of the last minute: `recent` is the difference to the oldest of them."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._points: deque[_Point] = deque(maxlen=round(RECENT_SECONDS / REPORT_SECONDS))
        self._points.append(_Point(self._clock(), {}, {}))

    def recent(self, usage: Mapping[str, Usage], outcomes: Mapping[str, int]) -> Recent:
        """The last minute up to these counters, which are remembered."""
        now, before = _Point(self._clock(), dict(usage), dict(outcomes)), self._points[0]
        self._points.append(now)
        completed = {kind: each.completed - before.usage.get(kind, Usage()).completed for kind, each in usage.items()}
        ended = {name: count - before.outcomes.get(name, 0) for name, count in outcomes.items()}
        busy = sum(each.busy_seconds for each in usage.values())
        return Recent(
            seconds=now.at - before.at,
            completed={kind: count for kind, count in completed.items() if count},
            busy_seconds=busy - sum(each.busy_seconds for each in before.usage.values()),
            outcomes={name: count for name, count in ended.items() if count},
        )


class _Point(NamedTuple):
    at: float
    usage: dict[str, Usage]
    outcomes: dict[str, int]


class Reporter:
    """`run` until cancelled. `started`, `draining`, `held` and `engine` are asked at each report, from the event loop.

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
        tally: Tally,
        engine: Callable[[], EngineSnapshot | None],
        metrics_url: str,
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
        self._tally = tally
        self._engine = engine
        self._metrics_url = metrics_url
        self._history = History()
        self._started = started
        self._draining = draining
        self._held = held
        self._drain = drain
        self._started_at = time.time()
        self._empty_before = False
        self.preempted = False  # set by whoever hears of it

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
        """What is true now, and what was so since the last reports; each call makes it one of them."""
        recent = self._history.recent(self._meter.usage(), self._tally.by_outcome())
        report = msgspec.structs.replace(self.look(), recent=recent)
        # A message may have been on its way here when the taking stopped: drained is who is empty at two reports.
        self._empty_before = self._draining() and report.in_flight == 0
        return report

    def look(self) -> WorkerReport:
        """What is true now, without the last minute."""
        held = self._held()
        engine = self._engine()
        return WorkerReport(
            worker=self._worker,
            machine=self._machine,
            state=self._state(held),
            slots=self._slots,
            warm_slots=self._slots if self._started() else 0,
            in_flight=held,
            started_at=self._started_at,
            preempted=self.preempted,
            usage=self._meter.usage(),
            repls=engine.pool.size if engine is not None else 0,
            busy_repls=engine.pool.busy if engine is not None else 0,
            metrics_url=self._metrics_url,
        )

    def _state(self, held: int) -> WorkerState:
        if not self._draining():
            return WorkerState.WARM if self._started() else WorkerState.STARTING
        return WorkerState.DRAINED if held == 0 and self._empty_before else WorkerState.DRAINING

    async def _withdraw(self, redis: Redis) -> None:
        try:
            async with asyncio.timeout(_WITHDRAW_SECONDS):
                await withdraw(redis, self._queue, self._worker)
        except (RedisError, OSError, TimeoutError) as error:
            logger.debug("the last report stays until it expires: %s", error)
