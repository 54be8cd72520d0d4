"""Content-addressed blobs and named objects over any backend.

A blob's name is the SHA-256 of its bytes, so it never changes once it is there, any number of writers agree on it, and
every reader can tell whether it was damaged.
"""

import asyncio
import datetime as dt
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from producer.errors import BlobCorruptError, BlobMissingError, InvalidInputError, StoreError
from producer.store.backend import Backend, ObjectInfo
from producer.tasklets import stop

__all__ = ["BLOBS", "RECIPES", "AsyncStore", "ObjectInfo", "blob_name", "can_name_an_object"]

# Folders of content-addressed objects. A bucket's lifecycle rule may empty `blobs`, which can be made again; it must
# spare `recipes`, from which they are made.
BLOBS = "blobs"
RECIPES = "recipes"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"(?!.*(?:^|/)\.)[A-Za-z0-9._=@+-]+(?:/[A-Za-z0-9._=@+-]+)*")
_MAX_NAME_LENGTH = 512
# A conditional write that has not been answered by then may stand behind others of the same name: SeaweedFS lets all
# but the first wait for some seconds, while it tells at once that the object is there.
_LOOK_AFTER_SECONDS = 0.5
# No write takes so long.
_WRITING = dt.timedelta(hours=1)


def blob_name(sha256: str, folder: str = BLOBS) -> str:
    """Where a blob lies. Two hexadecimal digits come first: S3 splits its load by prefix, and folders stay small."""
    if not _SHA256.fullmatch(sha256):
        raise InvalidInputError(f"not a SHA-256 in hexadecimal digits: {sha256!r}")
    return f"{folder}/{sha256[:2]}/{sha256}"


def can_name_an_object(name: str) -> bool:
    """Whether an object of this name can be one of ours: buckets hold more, such as a console's markers of folders."""
    return len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name) is not None


def _checked_name(name: str) -> str:
    if not can_name_an_object(name):
        raise InvalidInputError(
            f"{name!r} cannot name an object: use letters, digits and ._=@+- between single slashes, none hidden"
        )
    return name


class AsyncStore:
    """A store for use in one event loop. All methods raise StoreUnavailableError when the store cannot be reached.

    `url` is what it was opened with, without secrets: for logs.
    """

    def __init__(self, backend: Backend, *, url: str) -> None:
        self.url = url
        self._backend = backend
        self._puts: dict[str, asyncio.Task[bool]] = {}

    def __repr__(self) -> str:
        return f"<AsyncStore {self.url}: {len(self._puts)} writes under way>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Finish what is being written, then let go of the backend."""
        try:
            if self._puts:
                await asyncio.wait(self._puts.values())
        finally:
            await self._backend.aclose()

    async def put(self, data: bytes, *, folder: str = BLOBS, replace: bool = False) -> str:
        """Store a blob and return its SHA-256 in hexadecimal digits; then it is there, and whole.

        A thousand concurrent puts of the same bytes are one object, and from one process one request. `replace` writes
        over what is there in any case, which makes it young.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        name = blob_name(sha256, folder)
        # A write that is under way outlives a caller who is cancelled: others wait for it too.
        if (task := self._puts.get(name)) is None:
            writing = self._backend.write(name, data, only_new=False) if replace else self._create_blob(name, data)
            task = asyncio.create_task(writing)
            self._puts[name] = task
            task.add_done_callback(lambda done: self._forget(name, done))
        await asyncio.shield(task)
        return sha256

    async def _create_blob(self, name: str, data: bytes) -> bool:
        async def is_there() -> bool:
            info = await self._backend.info(name)
            return info is not None and info.size_bytes == len(data)

        if await self._create(name, data, is_there):
            return True
        try:
            if await self._backend.read(name) == data:
                return False
        except BlobMissingError:  # deleted just now
            pass
        return await self._backend.write(name, data, only_new=False)

    async def _create_named(self, name: str, data: bytes) -> bool:
        async def is_anothers() -> bool:
            info = await self._backend.info(name)
            if info is None:
                return False
            # The same bytes may be those that we are just writing.
            return info.size_bytes != len(data) or await self._backend.read(name) != data

        return await self._create(name, data, is_anothers)

    async def _create(self, name: str, data: bytes, is_lost: Callable[[], Awaitable[bool]]) -> bool:
        """Write a new object; False as soon as `is_lost` says that it is there already, however slow the write is."""
        writing = asyncio.create_task(self._backend.write(name, data, only_new=True))
        try:
            while not (await asyncio.wait({writing}, timeout=_LOOK_AFTER_SECONDS))[0]:
                try:
                    async with asyncio.timeout(_LOOK_AFTER_SECONDS):
                        if await is_lost():
                            return False
                except (StoreError, TimeoutError):
                    continue  # then the write says what is wrong
            return writing.result()
        finally:
            await stop(writing)

    def _forget(self, name: str, task: asyncio.Task[bool]) -> None:
        del self._puts[name]
        if not task.cancelled():
            task.exception()  # whoever waits for it gets it; nobody may, and that is no news

    async def get(self, sha256: str, *, folder: str = BLOBS) -> bytes:
        """The blob's bytes.

        Raises:
            BlobMissingError: there is none.
            BlobCorruptError: what is there does not have this hash.
        """
        name = blob_name(sha256, folder)
        data = await self._backend.read(name)
        if (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise BlobCorruptError(f"{name} in {self.url} is damaged: its {len(data):,} bytes have the hash {found}")
        return data

    async def exists(self, sha256: str, *, folder: str = BLOBS) -> bool:
        return await self._backend.info(blob_name(sha256, folder)) is not None

    async def put_named(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """Store an object under a name of the caller's; returns whether it was written.

        With `only_new` an object that is there already stays, and of concurrent writers exactly one gets True. A writer
        whose connection broke before the answer came gets True as well when the object holds exactly its bytes.
        """
        if only_new:
            return await self._create_named(_checked_name(name), data)
        return await self._backend.write(_checked_name(name), data, only_new=False)

    async def get_named(self, name: str) -> bytes:
        """Raise BlobMissingError when there is no such object."""
        return await self._backend.read(_checked_name(name))

    async def info(self, name: str) -> ObjectInfo | None:
        return await self._backend.info(_checked_name(name))

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """The objects whose names begin with `prefix` (any text, not only whole folders), in any order."""
        return self._backend.list(prefix)

    async def delete(self, names: Iterable[str]) -> None:
        """Delete objects by name; those that are not there are no error."""
        await self._backend.delete([_checked_name(name) for name in names])

    async def sweep(self, *, older_than: dt.timedelta, dry_run: bool = False) -> Sequence[ObjectInfo]:
        """Delete what writers that were killed left behind, and return it; with `dry_run`, what would be deleted.

        Nothing of the last hour is touched, whatever the age: it may be being written.
        """
        return await self._backend.sweep(older_than=max(older_than, _WRITING), dry_run=dry_run)

    async def check(self) -> None:
        """Return when the store can be reached and listed: for `doctor` and for a worker's start.

        Raises:
            StoreUnavailableError: and the message says what to do.
        """
        async for _ in self._backend.list("leanfleet-check/"):
            break
