"""Brings the answers of one attempt together: those in the store, and those that still wait on the broker."""

import asyncio
import functools
import time
from collections.abc import Callable, Sequence

from producer.batch.archive import Archive
from producer.batch.ledger import Ledger
from producer.batch.mailbox import CHUNK, Mailbox
from producer.batch.manifest import Attempt, Closing, Ending
from producer.batch.record import Record, record_of
from producer.batch.snapshot import AttemptView, state_of
from producer.errors import StoreError
from producer.tasklets import together

# Answers are moved in segments, which are objects in a bucket: neither one for each answer nor a hundred thousand at
# once. What is fewer waits, and costs the broker little.
MIN_SEGMENT = 1000
SEGMENTS = 50  # about so many for each attempt
SAVE_SECONDS = 60.0  # a watcher saves at least as often
_READS_AT_ONCE = 3


class Collector:
    """One for each attempt and process; it remembers what it has read."""

    def __init__(
        self, archive: Archive, ledger: Ledger, mailbox: Mailbox, *, batch_id: str, attempt: Attempt, total: int
    ) -> None:
        """`total` is the number of proofs in the batch."""
        self._archive = archive
        self._ledger = ledger
        self._mailbox = mailbox
        self._batch_id = batch_id
        self.attempt = attempt
        self.places: Sequence[int] = range(total) if attempt.places is None else attempt.places
        self._expected = frozenset(self.places)
        self._threshold = max(MIN_SEGMENT, len(self.places) // SEGMENTS)
        self._unsaved: dict[int, Record] = {}
        self._saved_at = time.monotonic()
        self._closing: Closing | None = None
        self._is_final = False  # whether the ledger holds all that it ever will
        self._reading = asyncio.Lock()

    async def collect(self, warn: Callable[[str], None], *, save_all: bool = False) -> AttemptView:
        """See what is there now, and move it to the store when it is worth a segment or with `save_all`.

        A store that can be read and not written costs nothing: `warn` is told, and the answers stay on the broker.

        Raises:
            StoreError: the store cannot be read; with `save_all`, or cannot be written.
            BrokerUnavailableError: the broker cannot be asked, and the attempt is not closed.
        """
        async with self._reading:
            if self._closing is None:
                self._closing = await self._archive.closing(self._batch_id, self.attempt.number)
            if self._closing is not None:
                return await self._closed()
            # In this order nothing is missed that another process moves from here to there meanwhile.
            mail = await self._mailbox.look()
            fresh = (mail.waiting & self._expected) - self._unsaved.keys() - self._ledger.records.keys()
            await self._judge(fresh)
            await self._ledger.refresh()
            if not mail.is_open:
                self._closing = await self._archive.closing(self._batch_id, self.attempt.number)
                if self._closing is not None:
                    return await self._closed()
            self._forget_saved()
            # Twins of answers that were moved, and what another process saved and did not live to remove.
            if stale := mail.waiting & self._ledger.records.keys():
                await self._mailbox.remove(stale)
            try:
                await self._save(is_all=save_all)
            except StoreError as error:
                if save_all:
                    raise
                warn(f"{len(self._unsaved):,} answers stay on the broker, since the store takes none: {error}")
            return self._view(is_open=mail.is_open, published=mail.published)

    async def _closed(self) -> AttemptView:
        if not self._is_final:
            await self._ledger.refresh()  # another process may have closed it, with answers that are new here
            self._is_final = True
        self._unsaved.clear()
        return self._view(is_open=False, published=0)

    async def _judge(self, places: frozenset[int]) -> None:
        ordered = sorted(places)
        chunks = [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]
        # The server looks for the next ones while these are judged.
        await together([functools.partial(self._judge_some, chunk) for chunk in chunks], at_once=_READS_AT_ONCE)

    async def _judge_some(self, places: Sequence[int]) -> None:
        answers = await self._mailbox.read(places)
        self._unsaved.update(await asyncio.to_thread(self._records, answers))

    def _records(self, answers: dict[int, bytes]) -> dict[int, Record]:
        number = self.attempt.number
        return {place: record_of(data, place, number) for place, data in answers.items()}

    def _forget_saved(self) -> None:
        for place in self._unsaved.keys() & self._ledger.records.keys():
            del self._unsaved[place]

    async def _save(self, *, is_all: bool) -> None:
        is_complete = len(self._ledger.records) + len(self._unsaved) == len(self.places)
        is_due = len(self._unsaved) >= self._threshold or time.monotonic() - self._saved_at > SAVE_SECONDS
        if self._unsaved and (is_all or is_complete or is_due):
            saved = set(self._unsaved)
            await self._ledger.append(self._unsaved.values())
            self._forget_saved()
            self._saved_at = time.monotonic()
            await self._mailbox.remove(saved)
        if is_complete:
            await self.close(Ending.FINISHED)

    async def close(self, ending: Ending) -> None:
        """Take no more answers. What is in the store stays, what is not is dropped."""
        await self._archive.close(self._batch_id, self.attempt.number, Closing(ending=ending, at=time.time()))
        self._closing = await self._archive.closing(self._batch_id, self.attempt.number)
        await self._mailbox.close()

    def _view(self, *, is_open: bool, published: int) -> AttemptView:
        ending = None if self._closing is None else self._closing.ending
        records = {**self._unsaved, **self._ledger.records}
        unanswered = len(self.places) - len(records)
        return AttemptView(
            attempt=self.attempt,
            places=self.places,
            state=state_of(unanswered=unanswered, is_open=is_open, ending=ending),
            records=records,
            published=published,
            unsaved=len(self._unsaved),
        )
