"""Putting the messages of an attempt into the queue: from where it was left off, and never two at a time."""

import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from producer.backoff import Outage
from producer.batch.archive import Archive
from producer.batch.mailbox import Mailbox
from producer.batch.manifest import Attempt, Manifest, Proof
from producer.envelope import BatchPlace, CallHeader, TaskMessage, origin, task_message
from producer.errors import BrokerUnavailableError
from producer.lane import Lane
from producer.operation import VerifyProof, first_line
from producer.tracing import publishing
from producer.transport import Publisher

T = TypeVar("T")

_logger = logging.getLogger("leanfleet.batch")

# Published before their number is noted: so many are in the queue twice when a publisher is killed in between.
CHUNK = 500

# Called with the number of published messages, and of all.
OnProgress = Callable[[int, int], None]


def limited(operation: VerifyProof, attempt: Attempt) -> VerifyProof:
    """The operation with the attempt's limits."""
    return replace(
        operation,
        timeout_seconds=operation.timeout_seconds if attempt.timeout_seconds is None else attempt.timeout_seconds,
        memory_bytes=operation.memory_bytes if attempt.memory_bytes is None else attempt.memory_bytes,
        fresh=operation.fresh or attempt.fresh,
    )


class Publication:
    """The messages of one attempt."""

    def __init__(
        self,
        publisher: Publisher,
        archive: Archive,
        mailbox: Mailbox,
        *,
        manifest: Manifest,
        attempt: Attempt,
        lane: Lane,
        places: Sequence[int],
        answered: Container[int],
        patience: int,
    ) -> None:
        """Of `places`, which ascend, those that are `answered` need no message.

        `patience`: how often in a row the broker may be away before that is an error.
        """
        self._publisher = publisher
        self._archive = archive
        self._mailbox = mailbox
        self._manifest = manifest
        self._attempt = attempt
        self._lane = lane
        self._places = places
        self._answered = answered
        self._patience = patience
        self._sent_by = origin()
        self._suffix = f".{attempt.mark}" if attempt.mark else ""

    async def run(self, on_progress: OnProgress | None = None) -> None:
        """Publish what is not published, unless another process does so; returns early when the attempt was closed.

        Raises:
            BrokerUnavailableError: it was away for too long. Running again goes on from there.
        """
        with publishing(self._manifest.id, self._attempt.number, self._attempt.queue) as trace:
            while await self._run(on_progress, trace):
                pass

    async def _run(self, on_progress: OnProgress | None, trace: Mapping[str, str]) -> bool:
        """Publish while the lock is ours; says whether it was lost before the end, and is to be tried for again."""
        async with self._mailbox.publishing() as lock:
            if lock is None:
                _logger.info("batch %s is being published by another process", self._manifest.id)
                return False
            is_open, published, _ = await self._mailbox.look()
            if not is_open:
                return False
            rest = itertools.islice(self._places, published, None)
            proofs = self._archive.proofs(self._manifest, (place for place in rest if place not in self._answered))
            while published < len(self._places):
                asked = self._places[published : published + CHUNK]
                needed = sum(place not in self._answered for place in asked)
                messages = [self._message(*await anext(proofs), trace) for _ in range(needed)]
                if messages:
                    await self._persistently(self._publish_all(messages))
                published += len(asked)
                if not await self._persistently(self._advance(published)):
                    return False
                if on_progress is not None:
                    on_progress(published, len(self._places))
                if not await self._persistently(lock.renew):
                    return True  # the broker was away, or this process stood still, for longer than it lasts
        return False

    def _publish_all(self, messages: list[TaskMessage]) -> Callable[[], Awaitable[None]]:
        return lambda: self._publisher.publish(self._lane, messages)

    def _advance(self, published: int) -> Callable[[], Awaitable[bool]]:
        return lambda: self._mailbox.advance(published)

    async def _persistently(self, work: Callable[[], Awaitable[T]]) -> T:
        outage = Outage("publishing a batch", _logger)
        while True:
            try:
                done = await work()
            except BrokerUnavailableError as error:
                if outage.failures >= self._patience:
                    raise error.with_context(
                        f"batch {self._manifest.id} is not in the queue as a whole; to go on, submit it again or run "
                        f"`leanfleet batch watch {self._manifest.id}`"
                    ) from error
                await outage.wait(error)
            else:
                outage.over()
                return done

    def _message(self, place: int, proof: Proof, trace: Mapping[str, str]) -> TaskMessage:
        attempt = self._attempt
        batch = BatchPlace(
            id=self._manifest.id, attempt=attempt.number, place=place, user=attempt.user, token=attempt.token
        )
        return task_message(
            f"{batch.id}.{batch.attempt}.{place}{self._suffix}",
            limited(proof.operation, self._attempt),
            CallHeader(batch=batch, enqueued_at=time.time()),
            sent_by=self._sent_by,
            label=first_line(proof.id),
            trace=trace,
        )
