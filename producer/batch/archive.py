"""Reading and writing what the store holds of batches, besides results."""

import asyncio
import functools
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from producer.batch import manifest as names
from producer.batch.manifest import (
    PROOFS,
    PROOFS_PER_CHUNK,
    Attempt,
    Closing,
    Entry,
    Manifest,
    Proof,
    decode,
    decode_lines,
    encode,
    encode_lines,
)
from producer.errors import BatchError, BlobMissingError, WireError
from producer.store import AsyncStore
from producer.tasklets import together

_AT_ONCE = 8


class Archive:
    """All methods raise StoreError when the store cannot do it, and WireError for what another version wrote."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store

    async def put_proofs(self, proofs: Sequence[Proof], entries: Sequence[Entry]) -> tuple[tuple[str, ...], str]:
        """Store texts and entries; returns the hashes of the chunks and of the index, for the manifest."""

        async def put(values: Sequence[msgspec.Struct]) -> str:
            # Also over what is there: its age keeps `producer.batch.removal` from it until the manifest names it.
            return await self._store.put(await asyncio.to_thread(encode_lines, values), folder=PROOFS, replace=True)

        starts = range(0, len(proofs), PROOFS_PER_CHUNK)
        pieces = [proofs[start : start + PROOFS_PER_CHUNK] for start in starts]
        *chunks, index = await together(
            [functools.partial(put, values) for values in [*pieces, entries]], at_once=_AT_ONCE
        )
        return tuple(chunks), index

    async def create(self, manifest: Manifest) -> bool:
        """False when there is a batch of this id already."""
        return await self._store.put_named(names.manifest_name(manifest.id), encode(manifest), only_new=True)

    async def manifest(self, batch_id: str) -> Manifest | None:
        name = names.manifest_name(batch_id)
        try:
            data = await self._store.get_named(name)
        except BlobMissingError:
            return None
        return decode(data, Manifest, name)

    async def ids(self, beginning: str = "") -> list[str]:
        """The ids of all batches that begin like this."""
        listed = self._store.list(names.manifests_prefix(beginning))
        return sorted([found async for info in listed if (found := names.batch_id_of(info.name)) is not None])

    async def index(self, manifest: Manifest) -> list[Entry]:
        data = await self._store.get(manifest.index, folder=PROOFS)
        entries = await asyncio.to_thread(decode_lines, data, Entry, f"{PROOFS}/{manifest.index}")
        if len(entries) != manifest.total:
            raise WireError(f"the index of batch {manifest.id} has {len(entries)} entries for {manifest.total} proofs")
        return entries

    async def proofs(self, manifest: Manifest, places: Iterable[int]) -> AsyncIterator[tuple[int, Proof]]:
        """The texts at these places, which must ascend; each chunk is read when it is needed."""
        at, chunk = -1, list[Proof]()
        for place in places:
            if place // PROOFS_PER_CHUNK != at:
                at = place // PROOFS_PER_CHUNK
                sha256 = manifest.chunks[at]
                data = await self._store.get(sha256, folder=PROOFS)
                chunk = await asyncio.to_thread(decode_lines, data, Proof, f"{PROOFS}/{sha256}")
            yield place, chunk[place % PROOFS_PER_CHUNK]

    async def attempts(self, batch_id: str) -> list[Attempt]:
        """In order. A batch whose submission was broken off at once has none."""
        listed = self._store.list(names.attempts_prefix(batch_id))
        found = sorted([info.name async for info in listed])
        return [decode(await self._store.get_named(name), Attempt, name) for name in found]

    async def begin(self, batch_id: str, attempt: Attempt) -> None:
        """Raise BatchError when somebody else began this attempt."""
        name = names.attempt_name(batch_id, attempt.number)
        if not await self._store.put_named(name, encode(attempt), only_new=True):
            raise BatchError(f"attempt {attempt.number} of batch {batch_id} was begun by somebody else just now")

    async def closing(self, batch_id: str, attempt: int) -> Closing | None:
        name = names.closing_name(batch_id, attempt)
        try:
            data = await self._store.get_named(name)
        except BlobMissingError:
            return None
        return decode(data, Closing, name)

    async def close(self, batch_id: str, attempt: int, closing: Closing) -> None:
        """The first closing stays."""
        await self._store.put_named(names.closing_name(batch_id, attempt), encode(closing), only_new=True)
