"""Ties what keeps deliveries to Celery's consumer, which is made anew at every reconnect."""

from typing import Any

from celery import bootsteps

from tasks.redelivery.keeper import Keeper
from tasks.redelivery.quorum import QuorumChannel, QuorumKeeper
from tasks.redelivery.transport import LeaseChannel
from tasks.runtime import current_runtime


class Heartbeat(bootsteps.StartStopStep):
    """Started with each connection; ended only with the worker, since one that shuts down warmly still holds leases."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        settings = consumer.app.conf.leanfleet_redelivery
        self._channel: LeaseChannel | None = None
        self._keeper = Keeper(
            lease_seconds=settings.lease_seconds,
            max_lease_seconds=settings.max_lease_seconds,
            is_healthy=_is_healthy,
        )
        self._quorum_keeper = QuorumKeeper(
            lease_seconds=settings.lease_seconds,
            max_lease_seconds=settings.max_lease_seconds,
            is_healthy=_is_healthy,
        )

    def start(self, consumer: Any) -> None:
        channel = consumer.task_consumer.channel
        if isinstance(channel, LeaseChannel):
            if self._channel is not None:
                channel.take_over(self._channel)
            channel.on_dropped = _count_dropped
            self._channel = channel
            self._keeper.attach(channel, channel._create_client())  # noqa: SLF001 - the way to a client of its pool
        elif isinstance(channel, QuorumChannel):
            self._quorum_keeper.attach(channel)

    def stop(self, consumer: Any) -> None:
        """Nothing: see the class."""

    def shutdown(self, consumer: Any) -> None:  # noqa: ARG002 - Celery's signature
        self._keeper.stop()
        self._quorum_keeper.stop()


def _count_dropped(count: int) -> None:
    if (runtime := current_runtime()) is not None:
        runtime.tally.dropped += count


def _is_healthy() -> bool:
    runtime = current_runtime()
    return runtime is None or runtime.is_responsive()
