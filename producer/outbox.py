"""A client's way to the broker: calls are published in batches, and again while no answer comes."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from producer.call import Call
from producer.envelope import CallHeader, TaskMessage, origin, task_message
from producer.errors import BrokerUnavailableError
from producer.keys import producer_id
from producer.lane import PRIORITIES, Lane, Priority
from producer.pump import Pump
from producer.resend import plan
from producer.screening import sendable
from producer.settings import Settings
from producer.stats import ClientCounters
from producer.transport import Publisher

_logger = logging.getLogger("leanfleet.client")


class Outbox:
    """For one client and its event loop; does nothing but while what `works` gives is run."""

    def __init__(
        self,
        publisher: Publisher,
        calls: Mapping[str, Call[Any]],
        *,
        client_id: str,
        settings: Settings,
        counters: ClientCounters,
        refuse: Callable[[Call[Any], str], None],
    ) -> None:
        """`calls` are those in flight, as they are now; `refuse` ends one that no message can carry, and says why."""
        self._publisher = publisher
        self._calls = calls
        self._client_id = client_id
        self._settings = settings
        self._counters = counters
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()
        self._origin = origin()
        self._published = dict.fromkeys(PRIORITIES, 0)
        # One for each priority: nor does a call wait behind a stream's backlog on this side of the broker.
        self._pumps: dict[Priority, Pump[Call[Any]]] = {
            "interactive": Pump("publishing", partial(self._publish, "interactive"), logger=_logger),
            "bulk": Pump("publishing in bulk", partial(self._publish, "bulk"), logger=_logger),
        }

    def __len__(self) -> int:
        """How many calls are still to be published."""
        return sum(map(len, self._pumps.values()))

    def put(self, call: Call[Any]) -> None:
        self._pumps[call.priority].put(call)

    def works(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What is to be run, each in a task of this name, for as long as calls are to go out."""
        return {
            **{f"publish-{priority}": pump.run() for priority, pump in self._pumps.items()},
            "resend": self._resend(),
        }

    def _lane(self, priority: Priority) -> Lane:
        shared = self._settings.producer
        producer = producer_id(self._settings.user, shared) if shared else self._client_id
        return Lane(self._settings.queue, priority, producer)

    def _message(self, call: Call[Any]) -> TaskMessage:
        # Clocks of machines are compared through these two, so they are wall-clock times.
        since = time.time() - self._loop.time()
        deadline = None if call.timer is None else since + call.timer.when()
        header = CallHeader(reply_to=self._client_id, enqueued_at=since + call.submitted_at, deadline=deadline)
        operation = sendable(call.operation) if call.is_screened else call.operation
        trace = None if call.traced is None else call.traced.headers
        return task_message(call.id, operation, header, sent_by=self._origin, trace=trace)

    async def _publish(self, priority: Priority, calls: list[Call[Any]]) -> None:
        waiting, messages = [], []
        for call in calls:
            if call.done():
                continue
            try:
                messages.append(self._message(call))
            except UnicodeEncodeError as error:
                # `checked` looks at the texts; what a state's recipe holds was written by a fleet, or made up.
                self._refuse(call, f"not valid Unicode: {error}")
            else:
                call.is_out = True  # from here on a cancelled call must be revoked
                waiting.append(call)
        if not messages:
            return
        await self._publisher.publish(self._lane(priority), messages)
        for call in waiting:
            self._published[priority] += 1
            call.tries += 1
            call.sequence = self._published[priority]
            call.left_at = 0.0

    async def _resend(self) -> None:
        resend_seconds = self._settings.resend_seconds
        while True:
            await asyncio.sleep(max(0.05, min(5.0, resend_seconds / 4)))
            oldest = next(iter(self._calls.values()), None)
            if oldest is None or self._loop.time() - oldest.submitted_at < resend_seconds / 4:
                continue
            for priority in PRIORITIES:
                await self._resend_in(priority)

    async def _resend_in(self, priority: Priority) -> None:
        published = self._published[priority]
        if not published:
            return
        try:
            backlog = await self._publisher.backlog(self._lane(priority))
        except BrokerUnavailableError:
            return  # publishing and reading say so themselves
        now = self._loop.time()
        left, due = plan(
            (call for call in self._calls.values() if call.priority == priority),
            now=now,
            published=published,
            backlog=backlog,
            resend_seconds=self._settings.resend_seconds,
        )
        for call in left:
            call.left_at = now
        for call in due:
            call.sequence = 0  # it is in our hands again
            call.left_at = 0.0
        if due:
            self._counters.resent += len(due)
            oldest_id = due[0].id
            _logger.warning(
                "sending %d unanswered calls again; the oldest is %s",
                len(due),
                oldest_id,
                extra={"call_id": oldest_id},
            )
            self._pumps[priority].put_all(due)
