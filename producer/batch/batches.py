"""The service: submit, watch, ask, run again, cancel. Any process with the same settings may do each of these."""

import asyncio
import contextlib
import datetime as dt
import functools
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec

from producer.batch.access import Access, Known
from producer.batch.columns import Columns
from producer.batch.diff import Difference, compare
from producer.batch.manifest import Ending, Manifest, content_id
from producer.batch.preparation import prepared, told
from producer.batch.publication import OnProgress
from producer.batch.removal import Removal, Stored, chosen, data_of, delete, unnamed_proofs
from producer.batch.result import BatchResult, result_of
from producer.batch.selection import choose
from producer.batch.snapshot import Snapshot, State
from producer.batch.sources import read_proofs
from producer.batch.status import Status, summary
from producer.batch.watch import Watch
from producer.errors import BatchError, InvalidInputError
from producer.files import Text
from producer.lane import Priority, as_priority
from producer.settings import Settings
from producer.tasklets import together

if TYPE_CHECKING:
    from producer.store import ObjectInfo

_logger = logging.getLogger("leanfleet.batch")

_LOOKED_UP_AT_ONCE = 16


class Submission(NamedTuple):
    """`is_new` is False when the same proofs were submitted before: it is that batch then, and nothing runs twice."""

    id: str
    total: int
    is_new: bool


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A batch in a list. `state` is None when its submission was broken off before anything was enqueued."""

    id: str
    name: str
    created_at: float
    total: int
    attempts: int
    state: State | None


class Batches:
    """For one event loop. Needs a broker and a store; connects when it is first used.

    Every method may raise StoreError, BrokerUnavailableError, SettingsError (no broker, no store) and, where a batch is
    named, BatchError when there is none of that id. The beginning of an id names a batch, too, if no other has it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._access = Access(settings)

    def __repr__(self) -> str:
        return f"<leanfleet.Batches of {self.settings.store_url or 'no store'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give up connections; batches go on."""
        await self._access.close()

    # -- begin -------------------------------------------------------------------------------------------------------

    async def submit_files(
        self,
        paths: Sequence[Path | str],
        *,
        name: str = "",
        columns: Columns | None = None,
        skip_invalid: bool = False,
        force: bool = False,
        priority: Priority | None = None,
        on_progress: OnProgress | None = None,
    ) -> Submission:
        """Submit the proofs of `.jsonl`, `.lean`, `.csv` and `.parquet` files; see `submit` for the other arguments.

        Raises:
            InvalidInputError: a file or a line of one is wrong, and `skip_invalid` is not given, or nothing is right.
                Nothing is enqueued then.
        """
        reading = await asyncio.to_thread(read_proofs, [Path(path) for path in paths], self.settings, columns)
        if reading.problems and not skip_invalid:
            raise InvalidInputError(told(reading.problems))
        return await self.submit(reading.texts, name=name, force=force, priority=priority, on_progress=on_progress)

    async def submit(
        self,
        texts: Iterable[Text | Mapping[str, Any]],
        *,
        name: str = "",
        force: bool = False,
        priority: Priority | None = None,
        on_progress: OnProgress | None = None,
    ) -> Submission:
        """Store proofs and put them into the queue; returns when all of them are there.

        Args:
            texts: what `read_proofs` gives, or mappings with `id`, `code` and what else a line of a file may have.
            name: for people; it need not be unique.
            force: make a batch of its own even if the same proofs were submitted before.
            priority: `bulk` unless it is said here or in the settings. A batch that was submitted before keeps its own.
            on_progress: told how many are in the queue, out of how many.

        Raises:
            InvalidInputError: there are none, or one of them cannot be asked.
        """
        priority = self._priority(priority)
        given = list(texts)
        proofs, entries = await asyncio.to_thread(prepared, given, self.settings)
        salt = secrets.token_hex(8) if force else ""
        batch_id = await asyncio.to_thread(content_id, proofs, entries, salt)
        parts = self._access.parts
        await parts.publisher.connect()  # before anything is written
        manifest = await parts.archive.manifest(batch_id)
        is_new = manifest is None
        if manifest is None:
            chunks, index = await parts.archive.put_proofs(proofs, entries)
            manifest = Manifest(
                id=batch_id, total=len(proofs), chunks=chunks, index=index, created_at=time.time(), name=name
            )
            is_new = await parts.archive.create(manifest)
        known = self._access.remember(manifest)
        known.entries = entries
        await self._begin_or_go_on(known, priority, on_progress)
        return Submission(batch_id, manifest.total, is_new)

    def _priority(self, given: Priority | None) -> Priority:
        return as_priority(given or self.settings.priority or "bulk")

    async def _begin_or_go_on(self, known: Known, priority: Priority, on_progress: OnProgress | None) -> None:
        """Put a batch into the queue for the first time, be it that an earlier try was broken off."""
        access, batch_id, archive = self._access, known.manifest.id, self._access.parts.archive
        attempts = await archive.attempts(batch_id)
        if not attempts:
            first = access.attempt(1, priority=priority)
            with contextlib.suppress(BatchError):  # another process was faster: both go on with its attempt
                await access.begin(batch_id, first)
            attempts = await archive.attempts(batch_id)
        if len(attempts) > 1 or await archive.closing(batch_id, 1) is not None:
            return
        mailbox = access.mailbox(batch_id, attempts[0])
        mail = await mailbox.look()
        if not mail.is_open:
            view = (await self._snapshot(known)).attempts[0]
            if view.records or view.state is not State.LOST:
                return  # it ran: what is missing is for `rerun`
            await mailbox.open()
        if mail.published < known.manifest.total:
            await access.publish(known, attempts[0], on_progress)

    async def rerun(
        self,
        batch_id: str,
        *,
        only: Collection[str] = (),
        everything: bool = False,
        timeout_seconds: float | None = None,
        memory_bytes: int | None = None,
        priority: Priority | None = None,
        on_progress: OnProgress | None = None,
    ) -> int:
        """Run again what is not settled, and return how many proofs that are.

        Args:
            batch_id: which one.
            only: only those with one of these outcomes; `lost` stands for no answer as well.
            everything: settled ones, too.
            timeout_seconds: instead of the proofs' own limits; so is `memory_bytes`.
            memory_bytes: see there.
            priority: as in `submit`.
            on_progress: told how many are in the queue, out of how many.

        Raises:
            BatchError: the batch is running, there is nothing to run again, or somebody else runs it again just now.
            InvalidInputError: a limit or an outcome is impossible.
        """
        if timeout_seconds is not None and not 0 < timeout_seconds < float("inf"):
            raise InvalidInputError(f"timeout_seconds must be a positive number, not {timeout_seconds!r}")
        if memory_bytes is not None and memory_bytes <= 0:
            raise InvalidInputError(f"memory_bytes must be positive, not {memory_bytes!r}")
        priority = self._priority(priority)
        known = await self._access.find(batch_id)
        snapshot = await self._snapshot(known)
        places = choose(snapshot, only=only, everything=everything)
        await self._access.parts.publisher.connect()
        last = snapshot.attempts[-1]
        if last.state is State.LOST:
            await known.collectors[last.attempt.number].close(Ending.LOST)
        attempt = self._access.attempt(
            len(snapshot.attempts) + 1,
            places=None if len(places) == known.manifest.total else places,
            timeout_seconds=timeout_seconds,
            memory_bytes=memory_bytes,
            fresh=everything,
            priority=priority,
        )
        await self._access.begin(known.manifest.id, attempt)
        await self._access.publish(known, attempt, on_progress)
        return len(places)

    # -- ask ---------------------------------------------------------------------------------------------------------

    async def status(self, batch_id: str) -> Status:
        """The batch in numbers, now."""
        warnings: list[str] = []
        known = await self._access.find(batch_id)
        return summary(await self._access.snapshot(known, warn=warnings.append), warnings)

    async def watch(self, batch_id: str, *, every_seconds: float = 1.0) -> AsyncGenerator[Status]:
        """The status, again and again, until the batch runs no more; that one is the last.

        Watching moves answers to the store, and goes on with a submission that was broken off. A broker or a store that
        is away for a while only holds it up; what the broker lost meanwhile, or seems to have lost, goes into the queue
        again.
        """
        known = await self._access.find(batch_id)
        async with contextlib.aclosing(Watch(self._access, known).statuses(every_seconds)) as statuses:
            async for status in statuses:
                yield status

    async def results(self, batch_id: str, *, attempt: int | None = None) -> list[BatchResult]:
        """What became of every proof that has an answer, in the order of submission.

        Where several attempts answered, the last settled answer counts, else the last one. With `attempt`, as if no
        later one had been made.
        """
        known = await self._access.find(batch_id)
        snapshot = await self._snapshot(known)
        entries = await self._access.entries(known)
        return [result_of(entries[place], record) for place, record in snapshot.up_to(attempt).results().items()]

    async def diff(
        self, before: str, after: str, *, before_attempt: int | None = None, after_attempt: int | None = None
    ) -> Difference:
        """What changed from one batch to another, or between two attempts of one."""
        runs = []
        for batch_id, attempt in ((before, before_attempt), (after, after_attempt)):
            known = await self._access.find(batch_id)
            snapshot = (await self._snapshot(known)).up_to(attempt)
            runs.append((await self._access.entries(known), snapshot.results()))
        return compare(*runs)

    async def all(self) -> list[Listed]:
        """All batches in the store, the newest first."""
        listed = [
            Listed(
                id=each.manifest.id,
                name=each.manifest.name,
                created_at=each.manifest.created_at,
                total=each.manifest.total,
                attempts=len(each.attempts),
                state=each.state,
            )
            for each in await self._stored()
        ]
        return sorted(listed, key=lambda each: each.created_at, reverse=True)

    async def _stored(self) -> list[Stored]:
        """All batches, without a look at their answers."""
        ids = await self._access.parts.archive.ids()
        found = await together([functools.partial(self._look_up, each) for each in ids], at_once=_LOOKED_UP_AT_ONCE)
        return [each for each in found if each is not None]

    async def _look_up(self, batch_id: str) -> Stored | None:
        archive = self._access.parts.archive
        manifest = await archive.manifest(batch_id)
        if manifest is None:
            return None  # deleted just now
        attempts = await archive.attempts(batch_id)
        return Stored(manifest=manifest, attempts=attempts, state=await self._access.state(batch_id, attempts))

    async def _snapshot(self, known: Known, *, save_all: bool = False) -> Snapshot:
        return await self._access.snapshot(known, warn=_logger.warning, save_all=save_all)

    # -- end ---------------------------------------------------------------------------------------------------------

    async def cancel(self, batch_id: str) -> Status:
        """End a batch that is running: what is answered is kept, what has not begun is not begun.

        Raises:
            BatchError: it is not running.
        """
        known = await self._access.find(batch_id)
        batch_id = known.manifest.id
        last = (await self._snapshot(known, save_all=True)).attempts[-1]
        if last.state is not State.RUNNING:
            raise BatchError(f"batch {batch_id} is not running: it is {last.state}")
        await known.collectors[last.attempt.number].close(Ending.CANCELLED)
        if not self.settings.producer:
            await self._access.parts.publisher.withdraw(self._access.lane(batch_id, last.attempt))
        return await self.status(batch_id)

    async def remove(
        self, batch_ids: Collection[str] = (), *, older_than_seconds: float | None = None, dry_run: bool = False
    ) -> Removal:
        """Delete batches with their results, and the proofs that no other batch has.

        Args:
            batch_ids: which ones; none for all that are old enough.
            older_than_seconds: only those that were submitted longer ago.
            dry_run: delete nothing, and say what would be.

        Raises:
            BatchError: one that is named is running, or unknown; nothing is deleted then.
            InvalidInputError: neither ids nor an age are given.
        """
        if older_than_seconds is None and not batch_ids:
            raise InvalidInputError("say which batches are to be deleted: by their ids, or by an age")
        if older_than_seconds is not None and older_than_seconds < 0:
            raise InvalidInputError(f"an age cannot be negative: {older_than_seconds!r}")
        named = {(await self._access.find(batch_id)).manifest.id for batch_id in batch_ids}
        store = self._access.parts.store
        stored = await self._stored()
        doomed, running = chosen(stored, named, older_than_seconds=older_than_seconds, now=time.time())
        for each in [each for each in running if each.attempts]:
            # Nobody may have looked since its last answer came.
            known = self._access.remember(each.manifest)
            if (await self._snapshot(known)).attempts[-1].state is not State.RUNNING:
                running.remove(each)
                doomed.append(each)
        if named and running:
            raise BatchError(
                f"batch {running[0].manifest.id} is running: wait for it, or end it first "
                f"(leanfleet batch cancel {running[0].manifest.id}). Nothing was deleted"
            )
        gone: list[ObjectInfo] = []
        for each in doomed:
            data = await data_of(store, each.manifest.id)
            gone += data
            if not dry_run:
                for attempt in each.attempts:
                    await self._access.mailbox(each.manifest.id, attempt).close()
                await delete(store, each.manifest.id, data)
                self._access.forget(each.manifest.id)
        kept = [each.manifest for each in stored if each not in doomed]
        proofs = await unnamed_proofs(store, kept, now=dt.datetime.now(dt.UTC))
        if not dry_run:
            await store.delete([info.name for info in proofs])
        gone += proofs
        return Removal(
            ids=tuple(each.manifest.id for each in doomed),
            spared=tuple(each.manifest.id for each in running),
            objects=len(gone) + len(doomed),
            size_bytes=sum(info.size_bytes for info in gone),
        )
