"""Deleting batches: what belongs to them alone, and the proofs that no batch names any more.

Proofs are content-addressed and may be shared by batches, so they are swept and not deleted with a batch: a chunk goes
when no manifest names it. A submission writes its chunks before its manifest; none that was written lately is touched,
and submitting writes them anew even if they are there. So a sweep never takes what a submission is about to name.
"""

import datetime as dt
from collections.abc import Collection, Sequence

import msgspec

from producer.batch.manifest import PROOFS, Attempt, Manifest, data_prefix, manifest_name
from producer.batch.snapshot import State
from producer.store import AsyncStore, ObjectInfo

# No submission takes so long between its first chunk and its manifest.
GRACE = dt.timedelta(hours=1)


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as the store knows it. `state` is None when it was never enqueued."""

    manifest: Manifest
    attempts: Sequence[Attempt]
    state: State | None


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be. `spared` are running batches that an age alone would have named."""

    ids: tuple[str, ...]
    spared: tuple[str, ...]
    objects: int
    size_bytes: int


def chosen(
    stored: Sequence[Stored], named: Collection[str], *, older_than_seconds: float | None, now: float
) -> tuple[list[Stored], list[Stored]]:
    """Which of the batches are deleted, and which would be if they did not run, or were not just being submitted.

    Args:
        stored: all batches.
        named: ids; empty for all, which must then be bounded by an age.
        older_than_seconds: only batches that were begun longer ago.
        now: unix time.
    """
    old = [
        each
        for each in stored
        if (not named or each.manifest.id in named)
        and (older_than_seconds is None or now - each.manifest.created_at > older_than_seconds)
    ]
    running = [each for each in old if _may_run(each, now)]
    return [each for each in old if not _may_run(each, now)], running


def _may_run(batch: Stored, now: float) -> bool:
    is_being_submitted = batch.state is None and now - batch.manifest.created_at < GRACE.total_seconds()
    return batch.state is State.RUNNING or is_being_submitted


async def data_of(store: AsyncStore, batch_id: str) -> list[ObjectInfo]:
    """Attempts and results. Raise StoreError."""
    return [info async for info in store.list(data_prefix(batch_id))]


async def unnamed_proofs(store: AsyncStore, manifests: Sequence[Manifest], *, now: dt.datetime) -> list[ObjectInfo]:
    """The chunks and indexes that none of these manifests names, and that no submission wrote just now."""
    named = {sha256 for manifest in manifests for sha256 in (*manifest.chunks, manifest.index)}
    return [
        info
        async for info in store.list(f"{PROOFS}/")
        if info.name.rpartition("/")[2] not in named and now - info.modified_at > GRACE
    ]


async def delete(store: AsyncStore, batch_id: str, data: Sequence[ObjectInfo]) -> None:
    """The manifest last: a deletion that is broken off leaves a batch that can be named, and deleted again."""
    await store.delete([info.name for info in data])
    await store.delete([manifest_name(batch_id)])
