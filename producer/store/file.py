"""A store in a folder: for one computer, or a file system that all machines mount."""

import asyncio
import contextlib
import datetime as dt
import errno
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from producer.errors import BlobMissingError, StoreUnavailableError
from producer.store.backend import Backend, ObjectInfo

T = TypeVar("T")

_THREADS = 8
# Hidden names are never objects: `AsyncStore` refuses them.
_HIDDEN = "."
_TEMPORARY = f"{_HIDDEN}leanfleet-"
# Files that are looked at in one go: for each the time that the store is given runs anew, however many there are.
_PAGE = 1000


def _raise_unless_absent(error: OSError) -> None:
    """A folder that cannot be read is not an empty one: what is in it may be all that another object is kept for."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


class FileBackend(Backend):
    """Every object is a file that is written aside and then given its name in one step.

    Needs hard links for writes that must not replace: local file systems and NFS have them.
    """

    def __init__(self, folder: Path, *, timeout_seconds: float) -> None:
        self._folder = folder
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="leanfleet-store")

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            raise StoreUnavailableError(
                f"{self._folder} did not answer within {self._timeout_seconds:g} s: is its file system mounted?"
            ) from error
        except OSError as error:
            raise StoreUnavailableError(f"cannot use the store in {self._folder}: {error}") from error

    async def read(self, name: str) -> bytes:
        def work() -> bytes:
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError as error:
                raise BlobMissingError(f"no object {name} in {self._folder}") from error

        return await self._run(work)

    async def write(self, name: str, data: bytes, *, only_new: bool) -> bool:
        return await self._run(lambda: self._write(self._folder / name, data, only_new=only_new))

    def _write(self, path: Path, data: bytes, *, only_new: bool) -> bool:
        if only_new and path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(_TEMPORARY + secrets.token_hex(8))
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                # Without it a crash of the machine may leave an empty file under the final name.
                os.fsync(file.fileno())
            if not only_new:
                temporary.replace(path)
                return True
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                    raise StoreUnavailableError(
                        f"the file system of {self._folder} has no hard links: choose another folder for the store"
                    ) from error
                raise
            return True
        finally:
            temporary.unlink(missing_ok=True)

    async def info(self, name: str) -> ObjectInfo | None:
        def work() -> ObjectInfo | None:
            try:
                return self._info(self._folder / name)
            except FileNotFoundError:
                return None

        return await self._run(work)

    def _info(self, path: Path) -> ObjectInfo:
        status = path.stat()
        return ObjectInfo(
            name=path.relative_to(self._folder).as_posix(),
            size_bytes=status.st_size,
            modified_at=dt.datetime.fromtimestamp(status.st_mtime, dt.UTC),
        )

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        async for info in self._found(prefix):
            if not info.name.rpartition("/")[2].startswith(_HIDDEN):
                yield info

    async def _found(
        self, prefix: str, *, on_error: Callable[[OSError], None] | None = _raise_unless_absent
    ) -> AsyncIterator[ObjectInfo]:
        """All files with names that begin like this, hidden ones among them."""
        paths = self._walk(prefix, on_error)

        def look() -> Iterable[ObjectInfo] | None:
            page = [*itertools.islice(paths, _PAGE)]
            return [*self._infos(page)] if page else None

        while (infos := await self._run(look)) is not None:
            for info in infos:
                yield info

    def _infos(self, paths: Iterable[Path]) -> Iterator[ObjectInfo]:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                yield self._info(path)

    def _walk(self, prefix: str, on_error: Callable[[OSError], None] | None) -> Iterator[Path]:
        # Only the folders that can hold names with this prefix are looked into.
        top = self._folder / Path(prefix).parent if "/" in prefix else self._folder
        for parent, folders, files in os.walk(top, onerror=on_error):
            at = Path(parent)
            inside = "" if at == self._folder else at.relative_to(self._folder).as_posix() + "/"
            folders[:] = [
                name
                for name in folders
                if not name.startswith(_HIDDEN)
                and (f"{inside}{name}/".startswith(prefix) or prefix.startswith(f"{inside}{name}/"))
            ]
            yield from (at / name for name in files if f"{inside}{name}".startswith(prefix))

    async def sweep(self, *, older_than: dt.timedelta, dry_run: bool) -> Sequence[ObjectInfo]:
        limit = dt.datetime.now(dt.UTC) - older_than
        abandoned = [
            info
            async for info in self._found("", on_error=None)  # what we cannot read is not ours, such as `lost+found`
            if info.name.rpartition("/")[2].startswith(_TEMPORARY) and info.modified_at < limit
        ]
        if abandoned and not dry_run:
            await self.delete(info.name for info in abandoned)
        return abandoned

    async def delete(self, names: Iterable[str]) -> None:
        def work() -> None:
            for name in names:
                (self._folder / name).unlink(missing_ok=True)

        await self._run(work)

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
