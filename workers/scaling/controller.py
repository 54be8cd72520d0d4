"""The loop that carries the policy out: look, decide, act, remember.

It may die at any point. What it knows lies in Redis after each step, what it does is asked for by totals or by name, so
that doing it again changes nothing, and drained machines say themselves that they may go.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer.connection import broker_errors
from producer.errors import BrokerUnavailableError
from producer.unreadable import UNREADABLE
from workers.notes import set_note
from workers.scaling.fleet import Fleet, View
from workers.scaling.leadership import Leadership
from workers.scaling.memory import Memory
from workers.scaling.metrics import Metrics
from workers.scaling.observer import Observer, Sight
from workers.scaling.policy import Decision, PolicySettings, decide
from workers.scaling.providers.provider import Provider, ProviderError
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.snapshot import Cohort, MachineState, Snapshot
from workers.telemetry import order_drain

logger = logging.getLogger(__name__)

COHORTS = 8
# What was remembered for longer ago than this is not true any more.
MEMORY_TTL_SECONDS = 3600


class _Remembered(msgspec.Struct, kw_only=True):
    memory: Memory
    fleet: Fleet
    v: int = 1


class Step(NamedTuple):
    """What one step saw and decided."""

    snapshot: Snapshot
    decision: Decision


def memory_key(queue: str) -> str:
    return f"leanfleet:autoscale:memory:{queue}"


class Controller:
    """`run` until told to stop; `step` is one turn of it."""

    def __init__(
        self,
        *,
        provider: Provider,
        observer: Observer,
        redis: Redis,
        redis_url: str,
        queue: str,
        holder: str,
        settings: AutoscaleSettings,
        policy: PolicySettings,
        dry_run: bool = False,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`redis` holds the lease and what is remembered; `holder` is who we are. Nothing given here is closed here.

        `clock` is unix time: what is remembered is compared across restarts and machines.
        """
        self._provider = provider
        self._observer = observer
        self._redis = redis
        self._redis_url = redis_url
        self._queue = queue
        self._settings = settings
        self._policy = policy
        self._dry_run = dry_run
        self._metrics = metrics if metrics is not None else Metrics()
        self._clock = clock
        # A dry run only watches, beside a leader perhaps: it has a lease and a memory of its own.
        self._own = f"{queue}:dry-run:{holder}" if dry_run else queue
        self._leadership = Leadership(redis, queue=self._own, holder=holder, lease_seconds=settings.lease_seconds)
        self._memory: Memory | None = None
        self._fleet = Fleet()
        self._said: tuple[object, ...] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Step until told to stop; what goes wrong is logged, and tried again at the next step.

        An event and not a cancellation, since the connection to Redis may swallow one (redis-py 8.1).
        """
        try:
            while not stop.is_set():
                started = time.monotonic()
                try:
                    await self.step()
                except (BrokerUnavailableError, ProviderError, RedisError, OSError) as error:
                    self._metrics.failed()
                    logger.warning("this step failed, nothing was changed beyond what is logged: %s", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(self._settings.interval_seconds - (time.monotonic() - started), 0)):
                        await stop.wait()
        finally:
            await self._resign()

    async def once(self) -> None:
        """One step. Raises as `step` does."""
        try:
            await self.step()
        finally:
            await self._resign()

    async def step(self) -> Step | None:
        """Look, decide and act once; None when another controller leads, or when what is seen cannot be believed.

        Raises:
            BrokerUnavailableError, ProviderError: nothing could be seen.
        """
        has_led = self._leadership.is_certain
        with broker_errors(self._redis_url):
            leads = await self._leadership.hold()
        self._metrics.leads(leads)
        if not leads:
            self._memory = None
            await self._provider.stand_by()
            self._say("standby", "another controller leads; waiting for its lease to end")
            return None
        memory = await self._recall(has_led=has_led)
        now = self._clock()
        sight = await self._observer.look()
        instances = await self._provider.instances()
        if not self._dry_run and self._leadership.is_certain:
            for offer, why in (await self._provider.refused()).items():
                self._refused(memory, now, offer, why)
        view = self._fleet.look(
            now,
            instances=instances,
            reports=sight.reports,
            offers=self._provider.offers,
            boot_seconds=memory.boot_seconds(self._settings.assumed_boot_seconds),
            interval_seconds=self._settings.interval_seconds,
        )
        if view.blackout:
            self._say("blackout", "no worker reports: the broker's trouble rather than the machines', nothing is done")
            await self._keep()
            return None
        for offer in view.broken:
            self._refused(memory, now, offer, "a machine of it never came up")
        snapshot = self._snapshot(now, memory, sight, view)
        decision = decide(snapshot, self._policy)
        memory.decided(now, decision)
        self._report(snapshot, decision)
        if not self._dry_run:
            await self._act(now, memory, decision, view)
        await self._keep()
        return Step(snapshot, decision)

    def _snapshot(self, now: float, memory: Memory, sight: Sight, view: View) -> Snapshot:
        held = sum(machine.in_flight for machine in view.machines)
        in_flight = held if sight.in_flight is None else sight.in_flight
        memory.observe(
            now,
            waiting=sight.queued + in_flight,
            usage=view.usage,
            machines=len(view.machines),
            preempted=view.preempted,
            boots=view.boots,
        )
        self._metrics.lost(view.preempted)
        return memory.snapshot(
            now,
            queue=_cohorts(now, memory, sight),
            in_flight=in_flight,
            machines=view.machines,
            offers=self._provider.offers,
            assumed_boot_seconds=self._settings.assumed_boot_seconds,
        )

    async def _act(self, now: float, memory: Memory, decision: Decision, view: View) -> None:
        """Each part on its own: what fails for one of them must not spare the others."""
        wanted = [
            machine.id
            for machine in view.machines
            if machine.state in (MachineState.BOOTING, MachineState.WARM) and machine.id not in decision.drain
        ]
        for machine_id in (*self._disobeyed(view), *decision.drain):
            if not self._leadership.is_certain:
                return
            # A successor that does not know of it is told by the worker's next report.
            self._fleet.known[machine_id].draining = True
            with broker_errors(self._redis_url):
                await order_drain(self._redis, machine_id)
        self._metrics.drained(len(decision.drain))
        if decision.terminate and self._leadership.is_certain:
            await self._terminate(decision)
        for offer, count in decision.launch.items():
            if not self._leadership.is_certain:
                return
            try:
                await self._provider.launch(offer, count)
            except ProviderError as error:
                self._refused(memory, now, offer, error.message)
            else:
                memory.granted(offer)
                self._metrics.launched(offer, count)
        try:
            await self._provider.protect(wanted)
        except ProviderError as error:
            logger.warning("cannot protect machines from scale-in: %s", error)

    def _disobeyed(self, view: View) -> list[str]:
        """Machines whose workers know nothing of our order: it was lost, with the broker's data or on its way there."""
        known = self._fleet.known
        return [each.id for each in view.machines if known[each.id].draining and not known[each.id].leaving]

    async def _terminate(self, decision: Decision) -> None:
        for machine_id in decision.terminate:
            # Before it is asked: of a request that fails, a part may have been done.
            self._fleet.known[machine_id].terminated = True
        try:
            await self._provider.terminate(decision.terminate)
        except ProviderError as error:
            logger.warning("cannot end %s, trying again: %s", ", ".join(decision.terminate), error)
            return
        self._metrics.terminated(len(decision.terminate))

    def _refused(self, memory: Memory, now: float, offer: str, why: str) -> None:
        memory.refused(now, offer)
        self._metrics.refused(offer)
        logger.warning("offer %s refused (%s): not asked for %.0f s", offer, why, memory.blocked_seconds(offer, now))

    async def _recall(self, *, has_led: bool) -> Memory:
        """What this controller or the one before knew; nothing when it is too old, or of another version.

        Where our lease has ended in between (not `has_led`), somebody else may have led, and knows better.
        """
        if self._memory is None or not has_led:
            with broker_errors(self._redis_url):
                stored = await self._redis.get(memory_key(self._own))
            if self._memory is not None and stored is None:
                return self._memory  # the broker has lost its data, and we have not
            try:
                found = msgspec.json.decode(stored, type=_Remembered) if stored else None
            except UNREADABLE as error:
                logger.warning("what the last controller remembered cannot be read, beginning anew: %s", error)
                found = None
            if found is None or found.v != 1:
                found = _Remembered(memory=Memory(), fleet=Fleet())
            self._memory, self._fleet = found.memory, found.fleet
            logger.info(
                "leading; %s", "remembering nothing" if not stored else f"{len(self._fleet.known)} machines known"
            )
        return self._memory

    async def _keep(self) -> None:
        if self._memory is None or not self._leadership.is_certain:
            return
        content = msgspec.json.encode(_Remembered(memory=self._memory, fleet=self._fleet))
        with broker_errors(self._redis_url):
            await set_note(self._redis, memory_key(self._own), content, ttl_seconds=MEMORY_TTL_SECONDS)

    async def _resign(self) -> None:
        try:
            await self._leadership.release()
        except (RedisError, OSError) as error:
            logger.warning("the lease could not be given back and ends by itself: %s", error)

    def _report(self, snapshot: Snapshot, decision: Decision) -> None:
        self._metrics.decided(snapshot, decision)
        prefix = "would " if self._dry_run else ""
        did = (tuple(sorted(decision.launch.items())), decision.drain, decision.terminate, decision.machines)
        parts = [f"launch {count} {offer}" for offer, count in decision.launch.items()]
        parts += [f"{verb} {', '.join(ids)}" for verb, ids in _named(decision)]
        text = prefix + "; ".join(parts) if parts else f"stay at {decision.machines}"
        self._say(did, f"{text} ({' | '.join(decision.reasons)})")

    def _say(self, what: object, text: str) -> None:
        """At INFO when it is something new, at DEBUG when it was said at the last step."""
        log = logger.debug if self._said == (what,) else logger.info
        self._said = (what,)
        log("%s", text)


def _named(decision: Decision) -> list[tuple[str, tuple[str, ...]]]:
    return [(verb, ids) for verb, ids in (("drain", decision.drain), ("end", decision.terminate)) if ids]


def _cohorts(now: float, memory: Memory, sight: Sight) -> tuple[Cohort, ...]:
    """The queue in equal stretches, in the order of service; kinds and ages by the messages that were sampled in each.

    Where none was, kinds are those of late, and ages those that the arrivals tell.
    """
    length = sight.queued
    step = max(math.ceil(length / COHORTS), 1)
    recent = {kind: each.completed for kind, each in memory.kinds.items() if each.completed > 0}
    cohorts = []
    for first in range(0, length, step):
        end = min(first + step, length)
        kinds: dict[str, float] = dict(sight.kinds(first, end)) or recent or {"": 1.0}
        total = sum(kinds.values())
        ages = [
            now - each.enqueued_at
            for each in sight.samples
            if first <= each.place < end and each.enqueued_at is not None
        ]
        age = max(ages, default=memory.waited_seconds(now, length - 1 - first))
        operations = {kind: (end - first) * share / total for kind, share in kinds.items()}
        cohorts.append(Cohort(operations=operations, age_seconds=max(age, 0.0)))
    return tuple(cohorts)
