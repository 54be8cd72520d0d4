"""Images in a store: cut into chunks under their hashes, compressed, with a manifest that holds them together.

Equal chunks are stored once, so that pushing an image again costs nothing. Chunks are cut at fixed places: pages lie at
fixed places too.
"""

import asyncio
import datetime as dt
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from producer.errors import BlobCorruptError, BlobMissingError, InvalidInputError
from producer.store import AsyncStore, ObjectInfo
from producer.store.store import can_name_an_object
from producer.tasklets import together
from workers.images.errors import ImageError, ImageRefusedError
from workers.images.image import Image, stamps, written_files
from workers.images.machine import Machine
from workers.images.manifest import Chunk, Manifest, Part, describe_files
from workers.states.packing import pack, unpack
from workers.states.signing import Signer

IMAGES = "images"
CHUNKS = "image-chunks"
CHUNK_BYTES = 4 * 1024**2
_AT_ONCE = 4  # chunks in memory
# For so many of them. REPLs wait for the image meanwhile: a store that hangs costs a worker no more than this.
STALL_SECONDS = 10.0
# A chunk that is found in a store may belong to no image yet, and `sweep` goes by age: an older one is written again.
FRESH_SECONDS = 3600.0


def folder_of(project: str, header: str) -> str:
    """Where the manifests of one header's images are."""
    return f"{IMAGES}/{project}/{hashlib.sha256(header.encode()).hexdigest()[:16]}"


def name_of(manifest: Manifest) -> str:
    return f"{folder_of(manifest.warm.project, manifest.warm.header)}/{manifest.id}"


class Swept(NamedTuple):
    """What was deleted, or would be."""

    images: int
    chunks: int
    size_bytes: int  # of the chunks


class Archive:
    """The images in one store. For use in one event loop."""

    def __init__(self, store: AsyncStore, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    async def add(self, image: Image) -> Manifest:
        """Store an image.

        Raises:
            ImageError: there is no key to sign it with, or a file that it needs is gone.
            StoreUnavailableError: the store cannot be written.
        """
        if not self._signer.can_sign:
            raise ImageError("an image must be signed, and there is no key: set LEANFLEET_WORKER_BLOB_KEYS")
        try:
            whole, files = await asyncio.to_thread(describe_files, list(image.mapped))
            parts = [await self._add_part(path) for path in await asyncio.to_thread(written_files, image.folder)]
        except OSError as error:
            raise ImageError(f"the image cannot be read: {error}") from error
        if why := await asyncio.to_thread(image.changed):
            raise ImageError(f"the image cannot be stored: {why}")
        manifest = Manifest(warm=image.warm, whole_files=whole, files=files, parts=tuple(parts)).signed(self._signer)
        await self._store.put_named(name_of(manifest), manifest.to_json())
        return manifest

    async def _add_part(self, path: Path) -> Part:
        chunks: list[Chunk] = []
        with path.open("rb") as file:
            while batch := [data for _ in range(_AT_ONCE) if (data := await asyncio.to_thread(file.read, CHUNK_BYTES))]:
                chunks += await together([partial(self._add_chunk, data) for data in batch], at_once=_AT_ONCE)
        return Part(name=path.name, chunks=tuple(chunks))

    async def _add_chunk(self, data: bytes) -> Chunk:
        packed, encoding = await asyncio.to_thread(pack, data)
        sha256 = hashlib.sha256(packed).hexdigest()
        there = await self._store.info(_name_of_chunk(sha256))
        if not _is_good(there, len(packed)):
            await self._store.put(packed, folder=CHUNKS, replace=there is not None)
        return Chunk(sha256=sha256, size_bytes=len(packed), unpacked_bytes=len(data), encoding=encoding)

    async def names(self, prefix: str = f"{IMAGES}/") -> AsyncIterator[str]:
        async for info in self._list(prefix):
            yield info.name

    async def _list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """What may be ours: a bucket can hold more, such as a console's markers of folders."""
        async for info in self._store.list(prefix):
            if can_name_an_object(info.name):
                yield info

    async def manifests(self, prefix: str = f"{IMAGES}/") -> AsyncIterator[tuple[str, Manifest | ImageRefusedError]]:
        """Every image's name and manifest, or why that cannot be used."""
        async for name in self.names(prefix):
            try:
                yield name, await self.read(name)
            except ImageRefusedError as error:
                yield name, error

    async def read(self, name: str) -> Manifest:
        """The manifest under this name; its signature has not been looked at.

        Raises:
            ImageRefusedError: it is damaged, or there is none.
            StoreUnavailableError: the store cannot be read.
        """
        try:
            data = await self._store.get_named(name)
        except (BlobMissingError, InvalidInputError) as error:
            raise ImageRefusedError(f"there is no image {name}") from error
        return Manifest.from_json(data, expected_id=name.rpartition("/")[2])

    async def find(self, project: str, header: str, here: Machine, *, fenced: bool = False) -> tuple[Manifest, ...]:
        """The images of this fleet for this header, project and machine, by their manifests, the newest first.

        `fenced`: whether for isolated REPLs. Any of them may still be refused for the files that it maps: libraries
        are replaced without another kernel, and an image from before does not leave the store by itself.

        Raises:
            ImageRefusedError: there are images for it, and none fits or none is this fleet's.
            StoreUnavailableError: the store cannot be read.
        """
        refused: ImageRefusedError | None = None
        found = []
        infos = [info async for info in self._list(f"{folder_of(project, header)}/")]
        for info in sorted(infos, key=lambda info: info.modified_at, reverse=True):
            try:
                manifest = await self.read(info.name)
                if bool(manifest.warm.folder) != fenced:
                    continue
                manifest.require_signature(self._signer)
                manifest.require_machine(here)
            except ImageRefusedError as error:
                refused = refused or error
            else:
                found.append(manifest)
        if refused is not None and not found:
            raise refused
        return tuple(found)

    async def fetch(self, manifest: Manifest, *, here: Machine, parent: Path) -> Image:
        """The image as files in a new folder of `parent`, after everything about it was checked.

        Raises:
            ImageRefusedError: it is not signed, does not fit this machine, or is damaged.
            ImageError: there is no room for it, or the store hangs.
            StoreUnavailableError: the store cannot be read.
        """
        manifest.require_signature(self._signer)
        await asyncio.to_thread(manifest.require_fit, here)
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="image-", dir=parent))  # in no thread: who is cancelled knows of it
            for part in manifest.parts:
                await self._write_part(part, folder / part.name)
            mapped = await asyncio.to_thread(lambda: stamps(Path(file.path) for file in manifest.files))
            written = await asyncio.to_thread(lambda: stamps(written_files(folder)))
        except BaseException as error:
            if folder is not None:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise ImageError(f"the image cannot be written: {error}") from error
            raise
        return Image(folder=folder, warm=manifest.warm, mapped=mapped, written=written)

    async def _write_part(self, part: Part, path: Path) -> None:
        with path.open("xb") as file:
            for start in range(0, len(part.chunks), _AT_ONCE):
                try:
                    async with asyncio.timeout(STALL_SECONDS):
                        works = [partial(self._chunk, chunk) for chunk in part.chunks[start : start + _AT_ONCE]]
                        batch = await together(works, at_once=_AT_ONCE)
                except TimeoutError as error:
                    raise ImageError(f"the store gave no further part of it for {STALL_SECONDS:g} s") from error
                for data in batch:
                    await asyncio.to_thread(file.write, data)

    async def _chunk(self, chunk: Chunk) -> bytes:
        try:
            packed = await self._store.get(chunk.sha256, folder=CHUNKS)
            return await asyncio.to_thread(unpack, packed, chunk.encoding, chunk.unpacked_bytes)
        except (BlobMissingError, BlobCorruptError, InvalidInputError) as error:
            raise ImageRefusedError(f"a part of the image is missing or damaged: {error.message}") from error

    async def verify(self, manifest: Manifest) -> str:
        """What is wrong with an image, its signature included; empty when nothing is. Raises StoreUnavailableError."""
        try:
            manifest.require_signature(self._signer)
            for part in manifest.parts:
                for chunk in part.chunks:
                    await self._chunk(chunk)
        except ImageRefusedError as error:
            return error.message
        return ""

    async def copy(self, manifest: Manifest, to: "Archive") -> None:
        """Give another store all that it lacks of an image, the manifest last: what can be found there is whole.

        Raises:
            ImageRefusedError: it is not this fleet's, or damaged.
            StoreUnavailableError: one of the stores cannot be reached.
        """
        manifest.require_signature(self._signer)
        wanted = list({chunk.sha256: chunk for part in manifest.parts for chunk in part.chunks}.values())
        await together([partial(self._copy_chunk, chunk, to) for chunk in wanted], at_once=_AT_ONCE)
        await to._store.put_named(name_of(manifest), manifest.to_json())  # noqa: SLF001 - one of us

    async def _copy_chunk(self, chunk: Chunk, to: "Archive") -> None:
        there = await to._store.info(_name_of_chunk(chunk.sha256))  # noqa: SLF001 - one of us
        if _is_good(there, chunk.size_bytes):
            return
        try:
            data = await self._store.get(chunk.sha256, folder=CHUNKS)
        except (BlobMissingError, BlobCorruptError) as error:
            raise ImageRefusedError(f"a part of the image is missing or damaged: {error.message}") from error
        await to._store.put(data, folder=CHUNKS, replace=there is not None)  # noqa: SLF001 - one of us

    async def remove(self, names: Iterable[str]) -> int:
        """Delete images, and what no other image uses of their chunks; returns how many chunks that were.

        Raises:
            ImageRefusedError: another image cannot be read, which might use the same; nothing was deleted.
            StoreUnavailableError: the store cannot be reached.
        """
        doomed = set(names)
        kept, lost = await self._chunks(doomed)
        await self._store.delete(doomed)
        await self._store.delete(lost - kept)
        return len(lost - kept)

    async def sweep(self, before: dt.datetime, *, images: bool = False, dry_run: bool = False) -> Swept:
        """Delete chunks of no image that were written before a moment: a push that is broken off leaves some.

        With `images`, images that were written before it as well. Raises as `remove` does. Pushes that run meanwhile
        lose nothing if `before` is as long ago as the longest of them takes, and `FRESH_SECONDS` more.
        """
        # Chunks first: a push that ends meanwhile is among the images then.
        old = await self._chunks_before(before)
        listed = self._list(f"{IMAGES}/") if images else None
        doomed = [info.name async for info in listed if info.modified_at < before] if listed else []
        kept, _ = await self._chunks(doomed)
        loose = old.keys() - kept
        if loose and not dry_run:
            loose &= (await self._chunks_before(before)).keys()  # without those that a push has renewed meanwhile
        if not dry_run:
            await self._store.delete(doomed)
            await self._store.delete(loose)
        return Swept(images=len(doomed), chunks=len(loose), size_bytes=sum(old[name] for name in loose))

    async def _chunks_before(self, moment: dt.datetime) -> dict[str, int]:
        """The chunks that were written before it, and their sizes."""
        listed = self._list(f"{CHUNKS}/")
        return {info.name: info.size_bytes async for info in listed if info.modified_at < moment}

    async def _chunks(self, doomed: Collection[str]) -> tuple[set[str], set[str]]:
        """The names of the chunks that images use, and of those that `doomed` ones do."""
        kept: set[str] = set()
        lost: set[str] = set()
        async for name, manifest in self.manifests():
            if isinstance(manifest, Manifest):
                (lost if name in doomed else kept).update(map(_name_of_chunk, manifest.chunks))
            elif name not in doomed:
                short = name.rpartition("/")[2][:12]
                raise ImageRefusedError(
                    f"what image {short} uses cannot be told, and might be deleted: {manifest.message}; "
                    "if no newer leanfleet wrote it, delete it as well"
                )
        return kept, lost


def _is_good(there: ObjectInfo | None, size_bytes: int) -> bool:
    """Whether what was found of a chunk is all of it, by its size, and too young for `sweep`."""
    if there is None or there.size_bytes != size_bytes:
        return False
    return dt.datetime.now(dt.UTC) - there.modified_at < dt.timedelta(seconds=FRESH_SECONDS)


def _name_of_chunk(sha256: str) -> str:
    return f"{CHUNKS}/{sha256[:2]}/{sha256}"
