"""The service: submit, watch, ask, run again, cancel. Any process with the same settings may do each of these."""

import asyncio
import contextlib
import datetime as dt
import functools
import logging
import re
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec
from msgspec.structs import replace

from producer.backoff import Outage
from producer.batch.archive import Archive
from producer.batch.collector import Collector
from producer.batch.columns import Columns
from producer.batch.diff import Difference, compare
from producer.batch.ledger import Ledger
from producer.batch.manifest import Attempt, Ending, Entry, Manifest, content_id
from producer.batch.preparation import prepared, told
from producer.batch.publication import OnProgress, Publication, limited
from producer.batch.removal import Candidate, Removal, chosen, data_of, delete, unnamed_proofs
from producer.batch.result import BatchResult, result_of
from producer.batch.selection import choose
from producer.batch.snapshot import AttemptView, Snapshot, State
from producer.batch.sources import read_proofs
from producer.batch.status import Status, summary
from producer.batch.vigil import Vigil
from producer.errors import BatchError, BrokerUnavailableError, InvalidInputError, SettingsError, StoreUnavailableError
from producer.files import Text
from producer.keys import batch_key, producer_id
from producer.lane import Lane, Priority, as_priority
from producer.logs import Scope, within
from producer.settings import Settings
from producer.tasklets import stop, together

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from producer.batch.mailbox import Mailbox
    from producer.store import AsyncStore, ObjectInfo
    from producer.transport import Publisher

_logger = logging.getLogger("leanfleet.batch")

_ID = re.compile(r"[0-9a-f]{4,12}")
# A batch with all its results may take a hundred megabytes of memory: only the latest are remembered.
_REMEMBERED = 4
_RATE_SECONDS = 30.0
_LISTED_AT_ONCE = 16


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


class _Parts(NamedTuple):
    store: "AsyncStore"
    archive: Archive
    redis: "Redis"
    publisher: "Publisher"


class _Known:
    """What was read of one batch."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.entries: list[Entry] | None = None
        self.collectors: dict[int, Collector] = {}


class Batches:
    """For one event loop. Needs a broker and a store; connects when it is first used.

    Every method may raise StoreError, BrokerUnavailableError, SettingsError (no broker, no store) and, where a batch is
    named, BatchError when there is none of that id. The beginning of an id names a batch, too, if no other has it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: _Parts | None = None
        self._known: dict[str, _Known] = {}

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
        parts, self._opened = self._opened, None
        if parts is not None:
            async with contextlib.AsyncExitStack() as closing:  # whatever becomes of one, the others are closed, too
                closing.push_async_callback(parts.store.aclose)
                closing.push_async_callback(parts.redis.aclose)
                closing.push_async_callback(parts.publisher.close)

    @property
    def _parts(self) -> _Parts:
        if self._opened is None:
            if not self.settings.broker_url:
                raise SettingsError(
                    "no broker is known: set LEANFLEET_BROKER_URL (for a local one, run `leanfleet up`)"
                )
            # Each takes its time to import, and most programs have no batches.
            from producer.connection import open_redis  # noqa: PLC0415
            from producer.publisher import open_publisher  # noqa: PLC0415
            from producer.store import open_store  # noqa: PLC0415

            store = open_store(self.settings)
            self._opened = _Parts(
                store,
                Archive(store),
                open_redis(self.settings.reply_url, name="leanfleet-batch"),
                open_publisher(self.settings.broker_url),
            )
        return self._opened

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
    ) -> Submission:
        """Submit the proofs of `.jsonl`, `.lean`, `.csv` and `.parquet` files.

        Raises:
            InvalidInputError: a file or a line of one is wrong, and `skip_invalid` is not given, or nothing is right.
                Nothing is enqueued then.
        """
        reading = await asyncio.to_thread(read_proofs, [Path(path) for path in paths], self.settings, columns)
        if reading.problems and not skip_invalid:
            raise InvalidInputError(told(reading.problems))
        return await self.submit(reading.texts, name=name, force=force, priority=priority)

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
        parts = self._parts
        await parts.publisher.connect()  # before anything is written
        manifest = await parts.archive.manifest(batch_id)
        is_new = manifest is None
        if manifest is None:
            chunks, index = await parts.archive.put_proofs(proofs, entries)
            manifest = Manifest(
                id=batch_id, total=len(proofs), chunks=chunks, index=index, created_at=time.time(), name=name
            )
            is_new = await parts.archive.create(manifest)
        known = self._remember(manifest)
        known.entries = entries
        await self._begin_or_go_on(known, priority, on_progress)
        return Submission(batch_id, manifest.total, is_new)

    def _priority(self, given: Priority | None) -> Priority:
        return as_priority(given or self.settings.priority or "bulk")

    async def _begin_or_go_on(self, known: _Known, priority: Priority, on_progress: OnProgress | None) -> None:
        """Put a batch into the queue for the first time, be it that an earlier try was broken off."""
        batch_id, archive = known.manifest.id, self._parts.archive
        attempts = await archive.attempts(batch_id)
        if not attempts:
            first = self._attempt(1, priority=priority)
            with contextlib.suppress(BatchError):  # another process was faster: both go on with its attempt
                await self._begin(batch_id, first)
            attempts = await archive.attempts(batch_id)
        if len(attempts) > 1 or await archive.closing(batch_id, 1) is not None:
            return
        mailbox = self._mailbox(batch_id, attempts[0])
        mail = await mailbox.look()
        if not mail.is_open:
            view = (await self._snapshot(batch_id)).attempts[0]
            if view.records or view.state is not State.LOST:
                return  # it ran: what is missing is for `rerun`
            await mailbox.open()
        if mail.published < known.manifest.total:
            await self._publish(known, attempts[0], on_progress)

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
        known = await self._find(batch_id)
        batch_id = known.manifest.id
        snapshot = await self._snapshot(batch_id)
        places = choose(snapshot, only=only, everything=everything)
        await self._parts.publisher.connect()
        last = snapshot.attempts[-1]
        if last.state is State.LOST:
            await known.collectors[last.attempt.number].close(Ending.LOST)
        attempt = self._attempt(
            len(snapshot.attempts) + 1,
            places=None if len(places) == known.manifest.total else places,
            timeout_seconds=timeout_seconds,
            memory_bytes=memory_bytes,
            fresh=everything,
            priority=priority,
        )
        await self._begin(batch_id, attempt)
        await self._publish(known, attempt, on_progress)
        return len(places)

    async def _begin(self, batch_id: str, attempt: Attempt) -> None:
        """Raise BatchError when another process began this attempt."""
        mailbox = self._mailbox(batch_id, attempt)
        await mailbox.open()
        try:
            await self._parts.archive.begin(batch_id, attempt)
        except BatchError:
            await mailbox.close()
            raise

    def _attempt(self, number: int, **fields: Any) -> Attempt:
        return Attempt(
            number=number,
            created_at=time.time(),
            queue=self.settings.queue,
            user=self.settings.user,
            token=secrets.token_hex(16),
            **fields,
        )

    def _lane(self, batch_id: str, attempt: Attempt) -> Lane:
        own = f"batch-{batch_id}" + (f"-{attempt.mark}" if attempt.mark else "")
        return Lane(attempt.queue, attempt.priority, producer_id(attempt.user, self.settings.producer or own))

    async def _publish(
        self, known: _Known, attempt: Attempt, on_progress: OnProgress | None, answered: Container[int] = ()
    ) -> None:
        collector = self._collector(known, attempt)
        publication = Publication(
            self._parts.publisher,
            self._parts.archive,
            self._mailbox(known.manifest.id, attempt),
            manifest=known.manifest,
            attempt=attempt,
            lane=self._lane(known.manifest.id, attempt),
            places=collector.places,
            answered=answered,
            patience=self.settings.connect_attempts,
        )
        with within(Scope(batch_id=known.manifest.id)):
            await publication.run(on_progress)

    # -- ask ---------------------------------------------------------------------------------------------------------

    async def status(self, batch_id: str) -> Status:
        """The batch in numbers, now."""
        warnings: list[str] = []
        known = await self._find(batch_id)
        return summary(await self._snapshot(known.manifest.id, warn=warnings.append), warnings)

    async def watch(self, batch_id: str, *, every_seconds: float = 1.0) -> AsyncGenerator[Status]:
        """The status, again and again, until the batch runs no more; that one is the last.

        Watching moves answers to the store, and goes on with a submission that was broken off. A broker or a store that
        is away for a while only holds it up; what the broker lost meanwhile, or seems to have lost, goes into the queue
        again.
        """
        known = await self._find(batch_id)
        seen: deque[tuple[float, int]] = deque()
        outage = Outage("watching a batch", _logger)
        vigil = Vigil(self.settings.resend_seconds)
        publishing: asyncio.Task[None] | None = None
        has_run = False
        try:
            while True:
                warnings: list[str] = []
                try:
                    snapshot = await self._snapshot(known.manifest.id, warn=warnings.append)
                    last = snapshot.attempts[-1]
                    if last.state is State.LOST and has_run:
                        # The broker came back without what it held. Who stays to watch wants an answer, not the news.
                        _warn_again(known.manifest.id, last.unanswered, "the broker lost them")
                        await self._mailbox(known.manifest.id, last.attempt).open()
                        await asyncio.sleep(every_seconds)  # a broker that goes on forgetting is not to be hammered
                        continue
                    await self._resend_lost(known, last, vigil)
                except (BrokerUnavailableError, StoreUnavailableError) as error:
                    with within(Scope(batch_id=known.manifest.id)):
                        await outage.wait(error)
                    continue
                outage.over()
                has_run = has_run or last.state is State.RUNNING
                yield _with_rate(summary(snapshot, warnings), seen, len(last.records), last.unanswered)
                if last.state is not State.RUNNING:
                    return
                if last.published < len(last.places) and (publishing is None or publishing.done()):
                    if publishing is not None and not publishing.cancelled():
                        publishing.exception()  # was logged while it was tried again
                    publishing = asyncio.create_task(self._publish(known, last.attempt, None, last.records.keys()))
                await asyncio.sleep(every_seconds)
        finally:
            if publishing is not None:
                await stop(publishing)
                if not publishing.cancelled():
                    publishing.exception()

    async def _resend_lost(self, known: _Known, last: AttemptView, vigil: Vigil) -> None:
        """Have it published again, which the caller does, when messages seem to be lost."""
        if last.state is not State.RUNNING or last.published < len(last.places):
            return
        now = time.monotonic()
        backlog = await self._parts.publisher.backlog(self._lane(known.manifest.id, last.attempt))
        vigil.note(now=now, answered=len(last.records), backlog=backlog)
        if vigil.quiet_seconds(now) < self.settings.resend_seconds:
            return
        missing = [place for place in last.places if place not in last.records]
        if vigil.work_seconds is None:
            proofs = self._parts.archive.proofs(known.manifest, missing)
            vigil.work_seconds = max(
                [limited(proof.operation, last.attempt).timeout_seconds async for _, proof in proofs]
            )
        if vigil.is_due(now, vigil.work_seconds):
            _warn_again(known.manifest.id, len(missing), "none waits in the queue, and no answer came for long")
            vigil.sent(now)
            await self._mailbox(known.manifest.id, last.attempt).advance(0)

    async def results(self, batch_id: str, *, attempt: int | None = None) -> list[BatchResult]:
        """What became of every proof that has an answer, in the order of submission.

        Where several attempts answered, the last settled answer counts, else the last one. With `attempt`, as if no
        later one had been made.
        """
        known = await self._find(batch_id)
        snapshot = await self._snapshot(known.manifest.id)
        entries = await self._entries(known)
        return [result_of(entries[place], record) for place, record in snapshot.up_to(attempt).results().items()]

    async def diff(
        self, before: str, after: str, *, before_attempt: int | None = None, after_attempt: int | None = None
    ) -> Difference:
        """What changed from one batch to another, or between two attempts of one."""
        runs = []
        for batch_id, attempt in ((before, before_attempt), (after, after_attempt)):
            known = await self._find(batch_id)
            snapshot = (await self._snapshot(known.manifest.id)).up_to(attempt)
            runs.append((await self._entries(known), snapshot.results()))
        return compare(*runs)

    async def all(self) -> list[Listed]:
        """All batches in the store, the newest first."""
        ids = await self._parts.archive.ids()
        found = await together([functools.partial(self._listed, each) for each in ids], at_once=_LISTED_AT_ONCE)
        listed = [each for each in found if each is not None]
        return sorted(listed, key=lambda each: each.created_at, reverse=True)

    async def _listed(self, batch_id: str) -> Listed | None:
        archive = self._parts.archive
        manifest = await archive.manifest(batch_id)
        if manifest is None:
            return None  # deleted just now
        attempts = await archive.attempts(batch_id)
        state = await self._state(batch_id, attempts)
        return Listed(
            id=batch_id,
            name=manifest.name,
            created_at=manifest.created_at,
            total=manifest.total,
            attempts=len(attempts),
            state=state,
        )

    # -- end ---------------------------------------------------------------------------------------------------------

    async def cancel(self, batch_id: str) -> Status:
        """End a batch that is running: what is answered is kept, what has not begun is not begun.

        Raises:
            BatchError: it is not running.
        """
        known = await self._find(batch_id)
        batch_id = known.manifest.id
        snapshot = await self._snapshot(batch_id, save_all=True)
        last = snapshot.attempts[-1]
        if last.state is not State.RUNNING:
            raise BatchError(f"batch {batch_id} is not running: it is {last.state}")
        await known.collectors[last.attempt.number].close(Ending.CANCELLED)
        if not self.settings.producer:
            await self._parts.publisher.withdraw(self._lane(batch_id, last.attempt))
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
        named = {(await self._find(batch_id)).manifest.id for batch_id in batch_ids}
        store, archive = self._parts.store, self._parts.archive
        found = await together(
            [functools.partial(self._candidate, each) for each in await archive.ids()], at_once=_LISTED_AT_ONCE
        )
        candidates = [each for each in found if each is not None]
        doomed, running = chosen(candidates, named, older_than_seconds=older_than_seconds, now=time.time())
        for each in [each for each in running if each.attempts]:
            # Nobody may have looked since its last answer came.
            if (await self._snapshot(each.manifest.id)).attempts[-1].state is not State.RUNNING:
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
                    await self._mailbox(each.manifest.id, attempt).close()
                await delete(store, each.manifest.id, data)
                self._known.pop(each.manifest.id, None)
        kept = [each.manifest for each in candidates if each not in doomed]
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

    async def _candidate(self, batch_id: str) -> Candidate | None:
        archive = self._parts.archive
        manifest = await archive.manifest(batch_id)
        if manifest is None:
            return None  # deleted just now
        attempts = await archive.attempts(batch_id)
        return Candidate(manifest=manifest, attempts=attempts, state=await self._state(batch_id, attempts))

    async def _state(self, batch_id: str, attempts: Sequence[Attempt]) -> State | None:
        """As far as it can be told without looking at answers. None: nothing was enqueued."""
        if not attempts:
            return None
        closing = await self._parts.archive.closing(batch_id, attempts[-1].number)
        if closing is not None:
            return State(closing.ending)
        return State.RUNNING if (await self._mailbox(batch_id, attempts[-1]).look()).is_open else State.LOST

    # -- what is known -----------------------------------------------------------------------------------------------

    async def _find(self, batch_id: str) -> _Known:
        """Raise BatchError when no batch, or more than one, has an id that begins like this."""
        if batch_id in self._known:
            return self._known[batch_id]
        manifest = None
        archive = self._parts.archive
        if _ID.fullmatch(batch_id):
            manifest = await archive.manifest(batch_id)
            if manifest is None and (ids := await archive.ids(batch_id)):
                if len(ids) > 1:
                    raise BatchError(f"{batch_id!r} may be any of the batches {', '.join(ids)}: give more of the id")
                manifest = await archive.manifest(ids[0])
        if manifest is None:
            raise BatchError(
                f"there is no batch {batch_id!r} in {self._parts.store.url}: `leanfleet batch list` shows which are"
            )
        return self._remember(manifest)

    def _remember(self, manifest: Manifest) -> _Known:
        known = self._known.setdefault(manifest.id, _Known(manifest))
        while len(self._known) > _REMEMBERED:
            del self._known[next(each for each in self._known if each != manifest.id)]
        return known

    async def _entries(self, known: _Known) -> list[Entry]:
        if known.entries is None:
            known.entries = await self._parts.archive.index(known.manifest)
        return known.entries

    def _mailbox(self, batch_id: str, attempt: Attempt) -> "Mailbox":
        from producer.batch.mailbox import Mailbox  # noqa: PLC0415 - as in `_parts`

        key = batch_key(batch_id, attempt.number, attempt.user, attempt.token)
        return Mailbox(self._parts.redis, self.settings.reply_url, key)

    def _collector(self, known: _Known, attempt: Attempt) -> Collector:
        if attempt.number not in known.collectors:
            known.collectors[attempt.number] = Collector(
                self._parts.archive,
                Ledger(self._parts.store, known.manifest.id, attempt.number),
                self._mailbox(known.manifest.id, attempt),
                batch_id=known.manifest.id,
                attempt=attempt,
                total=known.manifest.total,
            )
        return known.collectors[attempt.number]

    async def _snapshot(
        self, batch_id: str, *, warn: Callable[[str], None] = _logger.warning, save_all: bool = False
    ) -> Snapshot:
        known = await self._find(batch_id)
        attempts = await self._parts.archive.attempts(batch_id)
        if not attempts:
            raise BatchError(f"batch {batch_id} was never enqueued, its submission was broken off: submit it again")
        views = []
        for attempt in attempts:
            collector = self._collector(known, attempt)
            is_last = attempt is attempts[-1]
            views.append(await collector.collect(warn, save_all=save_all and is_last))
        return Snapshot(known.manifest, views, time.time())


def _warn_again(batch_id: str, count: int, why: str) -> None:
    _logger.warning(
        "batch %s: proofs go into the queue again (%d), since %s", batch_id, count, why, extra={"batch_id": batch_id}
    )


def _with_rate(status: Status, seen: deque[tuple[float, int]], answered: int, unanswered: int) -> Status:
    """The rate of the last half minute instead of the average."""
    now = time.monotonic()
    seen.append((now, answered))
    while len(seen) > 2 and now - seen[0][0] > _RATE_SECONDS:  # noqa: PLR2004 - a rate needs two
        seen.popleft()
    since, before = seen[0]
    if not status.is_running or now - since < 1 or answered <= before:
        return status
    rate = (answered - before) / (now - since)
    return replace(status, rate=rate, eta_seconds=unanswered / rate)
