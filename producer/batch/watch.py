"""Staying with a batch: its status again and again, and what was broken off or lost goes into the queue again."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator

from msgspec.structs import replace

from producer.backoff import Outage
from producer.batch.access import Access, Known
from producer.batch.publication import limited
from producer.batch.snapshot import AttemptView, State
from producer.batch.status import Status, summary
from producer.batch.vigil import Vigil
from producer.errors import BrokerUnavailableError, StoreUnavailableError
from producer.logs import Scope, within
from producer.tasklets import stop

_logger = logging.getLogger("leanfleet.batch")

_RATE_SECONDS = 30.0


class Watch:
    """Of one batch. What it needs may be away for a while: that holds it up and ends nothing."""

    def __init__(self, access: Access, known: Known) -> None:
        self._access = access
        self._known = known
        self._id = known.manifest.id
        self._outage = Outage("watching a batch", _logger)
        self._vigil = Vigil(access.settings.resend_seconds)
        self._seen: deque[tuple[float, int]] = deque()
        self._publishing: asyncio.Task[None] | None = None
        self._has_run = False

    async def statuses(self, every_seconds: float) -> AsyncGenerator[Status]:
        """Until the batch runs no more; that one is the last."""
        try:
            while True:
                try:
                    status = await self._look()
                except (BrokerUnavailableError, StoreUnavailableError) as error:
                    with within(Scope(batch_id=self._id)):
                        await self._outage.wait(error)
                    continue
                if status is not None:
                    yield status
                    if not status.is_running:
                        return
                # Also after nothing: a broker that goes on forgetting is not to be hammered.
                await asyncio.sleep(every_seconds)
        finally:
            if self._publishing is not None:
                await stop(self._publishing)
                if not self._publishing.cancelled():
                    self._publishing.exception()

    async def _look(self) -> Status | None:
        """None when the batch was lost, and is to be looked at again."""
        self._check_publishing()
        warnings: list[str] = []
        snapshot = await self._access.snapshot(self._known, warn=warnings.append)
        last = snapshot.attempts[-1]
        if last.state is State.LOST and self._has_run:
            # The broker came back without what it held. Who stays to watch wants an answer, not the news.
            self._warn_again(last.unanswered, "the broker lost them")
            await self._access.mailbox(self._id, last.attempt).open()
            return None
        if last.state is State.RUNNING:
            self._has_run = True
            if last.published < len(last.places):
                self._publish(last)
            else:
                await self._resend_lost(last)
        self._outage.over()
        return self._with_rate(summary(snapshot, warnings), len(last.records), last.unanswered)

    def _publish(self, last: AttemptView) -> None:
        if self._publishing is None:
            work = self._access.publish(self._known, last.attempt, None, last.records.keys())
            self._publishing = asyncio.create_task(work)

    def _check_publishing(self) -> None:
        """Raise what ended the publishing."""
        if self._publishing is not None and self._publishing.done():
            ended, self._publishing = self._publishing, None
            ended.result()

    async def _resend_lost(self, last: AttemptView) -> None:
        """Have what is unanswered published again at the next look, when messages seem to be lost."""
        vigil, now = self._vigil, time.monotonic()
        resend_seconds = self._access.settings.resend_seconds
        backlog = await self._access.parts.publisher.backlog(self._access.lane(self._id, last.attempt))
        vigil.note(now=now, answered=len(last.records), backlog=backlog)
        if vigil.quiet_seconds(now) < resend_seconds:
            return
        missing = [place for place in last.places if place not in last.records]
        if vigil.work_seconds is None:
            proofs = self._access.parts.archive.proofs(self._known.manifest, missing)
            vigil.work_seconds = max(
                [limited(proof.operation, last.attempt).timeout_seconds async for _, proof in proofs]
            )
        if vigil.is_due(now, vigil.work_seconds):
            self._warn_again(len(missing), "none waits in the queue, and no answer came for long")
            vigil.sent(now)
            await self._access.mailbox(self._id, last.attempt).advance(0)

    def _warn_again(self, count: int, why: str) -> None:
        _logger.warning(
            "batch %s: proofs go into the queue again (%d), since %s",
            self._id,
            count,
            why,
            extra={"batch_id": self._id},
        )

    def _with_rate(self, status: Status, answered: int, unanswered: int) -> Status:
        """The rate of the last half minute instead of the average."""
        seen, now = self._seen, time.monotonic()
        seen.append((now, answered))
        while len(seen) > 2 and now - seen[0][0] > _RATE_SECONDS:  # noqa: PLR2004 - a rate needs two
            seen.popleft()
        since, before = seen[0]
        if not status.is_running or now - since < 1 or answered <= before:
            return status
        rate = (answered - before) / (now - since)
        return replace(status, rate=rate, eta_seconds=unanswered / rate)
