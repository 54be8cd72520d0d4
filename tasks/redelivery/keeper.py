"""Keeps leases alive while the worker is, and gives away those of workers that are not."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import redis

from tasks.redelivery import scripts
from tasks.redelivery.keys import QueueKeys

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
# At most so many deliveries are given away in one script: the server does nothing else meanwhile.
SWEEP_LIMIT = 100
# How long an empty-handed consumer that went silent stays registered; see scripts.SWEEP.
FORGET_SECONDS = 24 * 3600


class Consumer(Protocol):
    """What the keeper needs of a channel. `leased_tags` is changed by other threads meanwhile."""

    keys: QueueKeys | None

    @property
    def leased_tags(self) -> Collection[str]: ...

    @property
    def taken(self) -> str: ...

    def pay(self) -> None: ...


class LeaseClock:
    """How long each delivery has been held. Not thread-safe: the keeper's alone."""

    def __init__(self, *, max_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_seconds = max_seconds
        self._clock = clock
        self._since: dict[str, float] = {}

    def renewable(self, tags: Iterable[str]) -> tuple[list[str], list[str]]:
        """Which of the deliveries that are held now may be renewed, and which were held for too long."""
        now = self._clock()
        self._since = {tag: self._since.get(tag, now) for tag in tags}
        fresh = [tag for tag, since in self._since.items() if now - since <= self._max_seconds]
        stale = [tag for tag, since in self._since.items() if now - since > self._max_seconds]
        return fresh, stale


class Keeper:
    """A thread that renews this worker's leases and sweeps everybody's.

    It is no part of Celery's event loop, nor of ours: a lease must not end because a worker is busy. But it does end
    when `is_healthy` says that the worker can no longer finish anything.
    """

    def __init__(
        self, *, lease_seconds: float, max_lease_seconds: float, is_healthy: Callable[[], bool] = lambda: True
    ) -> None:
        self._lease_seconds = lease_seconds
        self._is_healthy = is_healthy
        self._clock = LeaseClock(max_seconds=max_lease_seconds)
        self._reported: set[str] = set()
        self._lock = threading.Lock()
        self._consumer: Consumer | None = None
        self._client: redis.Redis | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def attach(self, consumer: Consumer, client: redis.Redis) -> None:
        """Watch over this consumer from now on, instead of the one before; start the thread at the first one."""
        with self._lock:
            self._consumer, self._client = consumer, client
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread. What is still leased then ends with its lease."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        renew_at = 0.0
        while not self._stopping.wait(min(SWEEP_SECONDS, self._lease_seconds / 3)):
            with self._lock:
                consumer, client = self._consumer, self._client
            if consumer is None or client is None or consumer.keys is None:
                continue
            try:
                if time.monotonic() >= renew_at:
                    renew_at = time.monotonic() + self._lease_seconds / 3  # so two may fail before a lease ends
                    self.renew(consumer, client)
                self.sweep(consumer.keys, client)
                consumer.pay()  # last: what the server refuses must not keep leases from being renewed
                if self._failing:
                    logger.warning("leases are renewed again")
                self._failing = False
            except Exception as error:  # noqa: BLE001 - whatever it is, a keeper that ends loses every lease
                log = logger.debug if self._failing else logger.warning
                log("cannot renew leases, trying again until it works: %s", error)
                self._failing, renew_at = True, 0.0

    def renew(self, consumer: Consumer, client: redis.Redis) -> None:
        """One renewal of all that the consumer holds."""
        if consumer.keys is None:
            return
        if not self._is_healthy():
            logger.error("this worker does not come forward any more: its leases are left to end")
            return
        fresh, stale = self._clock.renewable(tuple(consumer.leased_tags))
        for tag in stale:
            if tag not in self._reported:
                logger.error("delivery %s was held for longer than max_lease_seconds: its lease is left to end", tag)
        self._reported = set(stale)
        client.eval(scripts.RENEW, 2, consumer.keys.leases, consumer.keys.consumers, consumer.taken, *fresh)

    def sweep(self, keys: QueueKeys, client: redis.Redis) -> tuple[int, int]:
        """One sweep: how many deliveries were given away, and how many were saved from dead consumers' hands."""
        ended, rescued, missing = client.eval(
            scripts.SWEEP,
            7,
            keys.leased,
            keys.leases,
            keys.losses,
            keys.consumers,
            keys.queue,
            keys.interactive,
            keys.bulk,
            round(self._lease_seconds * 1000),
            FORGET_SECONDS * 1000,
            SWEEP_LIMIT,
        )
        if ended or rescued:
            logger.warning(
                "%d deliveries of silent workers go to others (%d of them were not begun)", ended + rescued, rescued
            )
        if missing:
            logger.warning(
                "%d operations of queue %s waited and nothing told of them: workers are told again. Was it deleted, or "
                "does a worker of an older version consume it?",
                missing,
                keys.queue,
            )
        return ended, rescued
