"""From many callers that must not wait to one connection that may be down: what is pending goes out in batches."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from producer.backoff import Outage
from producer.errors import BrokerUnavailableError

T = TypeVar("T")

# Encoding a batch holds the loop for some milliseconds; larger ones gain nothing more in round trips.
BATCH = 256


class Pump(Generic[T]):
    """Hands everything that was `put` to `send`, a batch at each wake-up, until `send` did not fail.

    An item that `send` failed on is given to it again, hence what is sent must be repeatable.
    """

    def __init__(self, what: str, send: Callable[[list[T]], Awaitable[None]], *, logger: logging.Logger) -> None:
        self._send = send
        self._pending: deque[T] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._outage = Outage(what, logger)

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, item: T) -> None:
        self._pending.append(item)
        self._idle.clear()
        self._wake.set()

    def put_all(self, items: Iterable[T]) -> None:
        for item in items:
            self.put(item)

    async def drained(self) -> None:
        """Wait until nothing is pending."""
        await self._idle.wait()

    async def run(self) -> None:
        """Pump for ever."""
        pending = self._pending
        while True:
            await self._wake.wait()
            self._wake.clear()
            while pending:
                batch = [pending.popleft() for _ in range(min(BATCH, len(pending)))]
                try:
                    await self._send(batch)
                except BrokerUnavailableError as error:
                    pending.extendleft(reversed(batch))
                    await self._outage.wait(error)
                else:
                    self._outage.over()
            self._idle.set()
