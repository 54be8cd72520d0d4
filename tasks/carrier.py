"""Carries out deliveries: from what one asks for to the reply that is stored, or to why there is none from here.

On the event loop of `tasks.runtime`. Whatever ends a delivery otherwise than by its result is an error of
`tasks.errors`.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import msgspec
from celery.worker.state import revoked as revoked_by_operators
from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer.backoff import Outage
from producer.errors import ImportDiedError, PoolClosedError, ReplStartError
from producer.operation import AnyOperation
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply, failure
from producer.result import RESULTS, AnyResult, Result, RunTacticsResult
from tasks.appetite import Patience
from tasks.batches import Batches
from tasks.delivery import Delivery
from tasks.errors import BusyError, ElsewhereError, ReleasedError, RevokedError, TerminatedError
from tasks.held import Held
from tasks.redelivery.dead import DeadLetter, bury
from tasks.redelivery.lease import Lease
from tasks.redelivery.poison import Bounces, Deaths, Returns, too_many_deaths, too_many_losses
from tasks.redelivery.settings import RedeliverySettings
from tasks.replies import ReplySender
from tasks.revocations import Revocations
from workers.tally import EngineSnapshot, Tally
from workers.telemetry import Meter

T = TypeVar("T")

# What a delivery asks for, or the answer to one that asks for nothing that can be carried out.
Work = AnyOperation | AnyResult

logger = logging.getLogger(__name__)

# While anything is held: how often it is looked at whether that is to go on.
_LOOK_SECONDS = 0.1
_BATCHES_SECONDS = 1.0


class Engine(Protocol):
    """The part that knows of Lean; see `workers.executor`."""

    async def execute(self, operation: AnyOperation) -> AnyResult: ...

    def stuck(self) -> dict[asyncio.Task[Any], float]: ...

    async def store_keepsakes(self, *, seconds: float) -> int: ...

    def snapshot(self) -> EngineSnapshot: ...


class Carrier:
    """For one event loop, and for as long as its engine is open. `watch` and `watch_batches` run beside `respond`."""

    def __init__(
        self,
        engine: Engine,
        *,
        redis: Redis,
        replies: ReplySender,
        revoked: Revocations,
        clock: Callable[[], float],
        queue: str,
        redelivery: RedeliverySettings,
        counts_returns: bool,
        ends_leases: bool,
        meter: Meter,
        tally: Tally,
    ) -> None:
        """`clock` is the fleet's; the rest is as `tasks.runtime.Runtime` has it."""
        self._engine = engine
        self._redis = redis
        self._replies = replies
        self._revoked = revoked
        self._now = clock
        self._queue = queue
        self._redelivery = redelivery
        self._counts_returns = counts_returns
        self._ends_leases = ends_leases
        self._meter = meter
        self._tally = tally
        self._batches = Batches(redis)
        self._deaths = Deaths(redis)
        self._bounces = Bounces()
        self._patience = Patience()
        self._held = Held()
        self._begun = asyncio.Event()

    async def respond(self, work: Work, delivery: Delivery, lease: Lease | None) -> AnyResult:
        """What came of it, once the reply is where its caller looks. Raises as `Runtime.execute` does."""
        if delivery.flaw:
            return await self._refuse(work, delivery, lease)
        if await self._is_revoked(delivery):
            self._tally.revoked += 1
            raise RevokedError("its producer gave it up, or its batch is closed")
        if delivery.id in revoked_by_operators:
            return await self._say_terminated(TerminatedError("an operator revoked it"), delivery, lease)
        if _deadline(delivery) < self._now():
            work = RESULTS[delivery.kind](outcome=Outcome.LOST, reason="its deadline passed in the queue")
        if isinstance(work, Result):
            return await self._answer(work, delivery, lease, ran=False)
        try:
            with self._held.carrying_out(delivery):
                self._begun.set()
                return await self._execute(work, delivery, lease)
        except TerminatedError as error:
            return await self._say_terminated(error, delivery, lease)

    async def _is_revoked(self, delivery: Delivery) -> bool:
        """Whether nobody wants the answer any more: its producer withdrew the call, or its batch was closed."""
        key = _batch_key(delivery)
        return delivery.id in self._revoked if key is None else not await self._batches.is_open(key)

    async def _say_terminated(self, error: TerminatedError, delivery: Delivery, lease: Lease | None) -> AnyResult:
        """Its caller still waits. Of Celery's own calls the result backend tells."""
        if delivery.call is None:
            self._tally.revoked += 1
            raise error
        result = RESULTS[delivery.kind](outcome=Outcome.LOST, reason=error.message)
        return await self._answer(result, delivery, lease, ran=False)

    def end_revoked(self, call_ids: set[str]) -> None:
        """Their producers gave these up."""
        self._end("its producer gave it up", lambda delivery: delivery.id in call_ids)

    def terminate(self, call_id: str) -> None:
        """An operator wants it to end; who waits for it is answered `lost`."""
        error = TerminatedError("an operator ended it")
        if count := self._held.end(error, lambda delivery: delivery.id == call_id):
            logger.warning("operation %s is ended by an operator's order (%d deliveries)", call_id, count)

    def _end(self, reason: str, which: Callable[[Delivery], bool]) -> None:
        if count := self._held.end(RevokedError(reason), which):
            self._tally.revoked += count
            logger.info("%d operations are ended, each since %s", count, reason)

    async def watch(self) -> None:
        """End what is held for longer than it is of use, until cancelled."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            while self._held:
                await asyncio.sleep(_LOOK_SECONDS)
                now = self._now()
                self._end("its deadline passed", lambda delivery: _deadline(delivery) < now)  # noqa: B023 - called here
                self._hand_on()

    def _hand_on(self) -> None:
        """Hand back what others may be sooner to carry out. Their own count of losses and deaths stays as it is."""
        now = time.monotonic()
        for task, since in self._engine.stuck().items():
            delivery = self._held.deliveries.get(task)
            if delivery is not None and self._patience.is_over(delivery.id, now - since):
                self._patience.handed_back(delivery.id)
                self._tally.handed_on += 1
                self._held.end_task(task, BusyError("all REPLs of this worker are at work"))

    async def watch_batches(self) -> None:
        """End what belongs to a batch that was closed meanwhile, until cancelled."""
        while True:
            await asyncio.sleep(_BATCHES_SECONDS)
            keys = {_batch_key(delivery) for delivery in self._held.deliveries.values()}
            for key in keys - {None}:
                if key is not None and not await self._batches.is_open(key):
                    self._end("its batch is closed", lambda delivery: _batch_key(delivery) == key)  # noqa: B023 - as above

    async def _execute(self, operation: AnyOperation, delivery: Delivery, lease: Lease | None) -> AnyResult:
        taken_at = self._now()
        if self._counts_returns and delivery.losses:
            returns = await _persistently(lambda: Returns(self._redis).so_far(delivery.id))
            delivery = msgspec.structs.replace(delivery, losses=max(0, delivery.losses - returns))
        self._tally.redelivered += delivery.losses > 0
        if too_many_losses(delivery.losses, self._redelivery):
            reason = f"{delivery.losses} workers vanished while they ran it"
            return await self._give_up(failure(operation, Outcome.REPL_DIED, reason), operation, delivery, lease)
        if self._bounces.is_for_others(delivery.id):
            self._tally.bounced += 1
            raise ElsewhereError("its REPL died here before")
        try:
            with self._meter.running(operation.kind):
                result = await self._engine.execute(operation)
        except PoolClosedError as error:
            raise ReleasedError(error.message) from error
        except ImportDiedError as error:
            result = failure(operation, Outcome.REPL_DIED, error.message)
        except ReplStartError as error:
            # This worker's trouble: no REPL has seen the operation, which is therefore not counted among its deaths.
            logger.warning("operation %s is handed back: %s", delivery.id, error)
            self._bounces.died_here(delivery.id)
            self._tally.bounced += 1
            raise ElsewhereError(error.message) from error
        except Exception:
            logger.exception("a bug: operation %s (%s) raised", delivery.id, operation.kind)
            result = failure(operation, Outcome.REPL_DIED, "an internal error of the worker; its log says more")
        queued = max(0.0, taken_at - delivery.call.enqueued_at) if delivery.call is not None else 0.0
        timing = msgspec.structs.replace(result.timing, queued_seconds=queued)
        result = msgspec.structs.replace(result, timing=timing)
        if (death := _death(result)) is None:
            return await self._answer(result, delivery, lease, ran=True)
        self._bounces.died_here(delivery.id)
        deaths = await _persistently(lambda: self._deaths.add(delivery.id))
        if not too_many_deaths(deaths, self._redelivery):
            logger.warning("operation %s: its REPL died (%d.): %s", delivery.id, deaths, death)
            self._tally.bounced += 1
            raise ElsewhereError(death)
        delivery = msgspec.structs.replace(delivery, deaths=deaths - 1)
        result = msgspec.structs.replace(failure(operation, Outcome.REPL_DIED, death), timing=timing)
        return await self._give_up(result, operation, delivery, lease)

    async def _give_up(
        self, result: AnyResult, operation: AnyOperation, delivery: Delivery, lease: Lease | None
    ) -> AnyResult:
        await self._bury(result.reason, delivery, operation.label, _arguments(operation))
        return await self._answer(result, delivery, lease, ran=False)

    async def _bury(self, reason: str, delivery: Delivery, label: str, arguments: dict[str, Any]) -> None:
        logger.error("operation %s is put among the dead letters: %s", delivery.id, reason)
        letter = DeadLetter(
            id=delivery.id,
            at=self._now(),
            reason=reason,
            kind=delivery.kind,
            label=label,
            arguments=arguments,
            worker=delivery.worker,
        )

        async def bury_it() -> None:
            async with self._redis.pipeline() as pipeline:
                bury(pipeline, self._queue, letter)
                await pipeline.execute()
            await self._deaths.forget(delivery.id)

        await _persistently(bury_it)
        self._tally.dead_letters += 1

    async def _refuse(self, work: Work, delivery: Delivery, lease: Lease | None) -> AnyResult:
        """Answer what was not understood, or keep it among the dead letters when it says not to whom."""
        result = RESULTS[delivery.kind](outcome=Outcome.INVALID_REQUEST, reason=delivery.flaw)
        if delivery.call is not None:
            return await self._answer(result, delivery, lease, ran=False)
        await self._bury(result.reason, delivery, delivery.label, {} if isinstance(work, Result) else _arguments(work))
        return result

    async def _answer(self, result: AnyResult, delivery: Delivery, lease: Lease | None, *, ran: bool) -> AnyResult:
        self._tally.answered(delivery.kind, result, enqueued=ran and delivery.call is not None, ran=ran)
        result = msgspec.structs.replace(result, worker=delivery.worker, attempt=delivery.attempt)
        if delivery.call is not None:
            reply = encode_reply(Reply(call_id=delivery.id, result=result))
            with_it = lease if self._ends_leases else None
            if await self._replies.send(delivery.call, reply, with_it) and with_it is not None:
                with_it.ended()
        return result


def _arguments(operation: AnyOperation) -> dict[str, Any]:
    arguments: dict[str, Any] = msgspec.to_builtins(operation)
    del arguments["kind"]
    return arguments


def _death(result: AnyResult) -> str | None:
    """Why the REPL died, where that is all that came of the operation.

    A tactic that ends its REPL spoils nothing for those beside it, and is not tried again; alone it is the operation.
    """
    if isinstance(result, RunTacticsResult) and result.tactics:
        dead = [tactic for tactic in result.tactics if tactic.outcome is Outcome.REPL_DIED]
        return dead[0].reason if len(dead) == len(result.tactics) else None
    return result.reason if result.outcome is Outcome.REPL_DIED else None


def _batch_key(delivery: Delivery) -> str | None:
    batch = None if delivery.call is None else delivery.call.batch
    return None if batch is None else batch.key


def _deadline(delivery: Delivery) -> float:
    """Unix time. No batch has one: its answers are kept for whoever comes for them."""
    return math.inf if delivery.call is None or delivery.call.deadline is None else delivery.call.deadline


async def _persistently(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Repeat what needs the server until it works; the drain's cancellation is the only other end."""
    outage = Outage("counting and burying dead operations", logger)
    while True:
        try:
            value = await work()
        except (RedisError, OSError) as error:
            await outage.wait(error)
            continue
        outage.over()
        return value
