"""What one process has of batches: its connections, and what it has read of the latest ones."""

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from producer.batch.archive import Archive
from producer.batch.collector import Collector
from producer.batch.ledger import Ledger
from producer.batch.manifest import Attempt, Entry, Manifest
from producer.batch.publication import OnProgress, Publication
from producer.batch.snapshot import Snapshot, State
from producer.errors import BatchError, SettingsError
from producer.keys import batch_key, producer_id
from producer.lane import Lane
from producer.logs import Scope, within
from producer.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from producer.batch.mailbox import Mailbox
    from producer.store import AsyncStore
    from producer.transport import Publisher

_ID = re.compile(r"[0-9a-f]{4,12}")
# A batch with all its results may take a hundred megabytes of memory: only the latest are remembered.
_REMEMBERED = 4


class Parts(NamedTuple):
    """What is connected to."""

    store: "AsyncStore"
    archive: Archive
    redis: "Redis"
    publisher: "Publisher"


class Known:
    """What was read of one batch."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.entries: list[Entry] | None = None
        self.collectors: dict[int, Collector] = {}


class Access:
    """For one event loop. Every method may raise what those of `Batches` may."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: Parts | None = None
        self._known: dict[str, Known] = {}

    async def close(self) -> None:
        """Give up connections."""
        parts, self._opened = self._opened, None
        if parts is not None:
            async with contextlib.AsyncExitStack() as closing:  # whatever becomes of one, the others are closed, too
                closing.push_async_callback(parts.store.aclose)
                closing.push_async_callback(parts.redis.aclose)
                closing.push_async_callback(parts.publisher.close)

    @property
    def parts(self) -> Parts:
        """Opened at the first use, and connected at the first use of each."""
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
            self._opened = Parts(
                store,
                Archive(store),
                open_redis(self.settings.reply_url, name="leanfleet-batch"),
                open_publisher(self.settings.broker_url),
            )
        return self._opened

    # -- batches -----------------------------------------------------------------------------------------------------

    async def find(self, batch_id: str) -> Known:
        """Raise BatchError when no batch, or more than one, has an id that begins like this."""
        if batch_id in self._known:
            return self._known[batch_id]
        manifest = None
        archive = self.parts.archive
        if _ID.fullmatch(batch_id):
            manifest = await archive.manifest(batch_id)
            if manifest is None and (ids := await archive.ids(batch_id)):
                if len(ids) > 1:
                    raise BatchError(f"{batch_id!r} may be any of the batches {', '.join(ids)}: give more of the id")
                manifest = await archive.manifest(ids[0])
        if manifest is None:
            which = "which are" if _ID.fullmatch(batch_id) else "ids, of which four or more letters will do"
            raise BatchError(
                f"there is no batch {batch_id!r} in {self.parts.store.url}: `leanfleet batch list` shows {which}"
            )
        return self.remember(manifest)

    def remember(self, manifest: Manifest) -> Known:
        known = self._known.setdefault(manifest.id, Known(manifest))
        while len(self._known) > _REMEMBERED:
            del self._known[next(each for each in self._known if each != manifest.id)]
        return known

    def forget(self, batch_id: str) -> None:
        """It was deleted."""
        self._known.pop(batch_id, None)

    async def entries(self, known: Known) -> list[Entry]:
        if known.entries is None:
            known.entries = await self.parts.archive.index(known.manifest)
        return known.entries

    async def snapshot(self, known: Known, *, warn: Callable[[str], None], save_all: bool = False) -> Snapshot:
        """What is known now; `save_all` moves every answer to the store."""
        batch_id = known.manifest.id
        attempts = await self.parts.archive.attempts(batch_id)
        if not attempts:
            raise BatchError(f"batch {batch_id} was never enqueued, its submission was broken off: submit it again")
        views = []
        for attempt in attempts:
            collector = self.collector(known, attempt)
            is_last = attempt is attempts[-1]
            views.append(await collector.collect(warn, save_all=save_all and is_last))
        return Snapshot(known.manifest, views, time.time())

    async def state(self, batch_id: str, attempts: Sequence[Attempt]) -> State | None:
        """As far as it can be told without looking at answers. None: nothing was enqueued."""
        if not attempts:
            return None
        closing = await self.parts.archive.closing(batch_id, attempts[-1].number)
        if closing is not None:
            return State(closing.ending)
        return State.RUNNING if (await self.mailbox(batch_id, attempts[-1]).look()).is_open else State.LOST

    # -- attempts ----------------------------------------------------------------------------------------------------

    def attempt(self, number: int, **fields: Any) -> Attempt:
        """One that is about to be begun here and now."""
        return Attempt(
            number=number,
            created_at=time.time(),
            queue=self.settings.queue,
            user=self.settings.user,
            token=secrets.token_hex(16),
            **fields,
        )

    async def begin(self, batch_id: str, attempt: Attempt) -> None:
        """Raise BatchError when another process began one of this number."""
        mailbox = self.mailbox(batch_id, attempt)
        await mailbox.open()
        try:
            await self.parts.archive.begin(batch_id, attempt)
        except BatchError:
            await mailbox.close()
            raise

    async def publish(
        self, known: Known, attempt: Attempt, on_progress: OnProgress | None, answered: Container[int] = ()
    ) -> None:
        """Put what is not yet in the queue into it; those `answered` need not be."""
        publication = Publication(
            self.parts.publisher,
            self.parts.archive,
            self.mailbox(known.manifest.id, attempt),
            manifest=known.manifest,
            attempt=attempt,
            lane=self.lane(known.manifest.id, attempt),
            places=self.collector(known, attempt).places,
            answered=answered,
            patience=self.settings.connect_attempts,
        )
        with within(Scope(batch_id=known.manifest.id)):
            await publication.run(on_progress)

    def lane(self, batch_id: str, attempt: Attempt) -> Lane:
        own = f"batch-{batch_id}" + (f"-{attempt.mark}" if attempt.mark else "")
        return Lane(attempt.queue, attempt.priority, producer_id(attempt.user, self.settings.producer or own))

    def mailbox(self, batch_id: str, attempt: Attempt) -> "Mailbox":
        from producer.batch.mailbox import Mailbox  # noqa: PLC0415 - as in `parts`

        key = batch_key(batch_id, attempt.number, attempt.user, attempt.token)
        return Mailbox(self.parts.redis, self.settings.reply_url, key)

    def collector(self, known: Known, attempt: Attempt) -> Collector:
        found = known.collectors.get(attempt.number)
        if found is None or found.attempt != attempt:  # deleted meanwhile, and submitted again
            found = known.collectors[attempt.number] = Collector(
                self.parts.archive,
                Ledger(self.parts.store, known.manifest.id, attempt.number),
                self.mailbox(known.manifest.id, attempt),
                batch_id=known.manifest.id,
                attempt=attempt,
                total=known.manifest.total,
            )
        return found
