"""Writes that must not replace, on a server that lets them wait though it knows the answer."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Iterable

import pytest

from producer.errors import BlobMissingError, StoreUnavailableError
from producer.store import AsyncStore, ObjectInfo
from producer.store import store as module
from producer.store.backend import Backend
from producer.store.store import blob_name

DATA = b"a pickle"


class Stalling(Backend):
    """Conditional writes are never answered until `answer` is set; everything else is answered at once."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.begun = asyncio.Event()
        self.answer = asyncio.Event()
        self.cancelled = 0
        self.is_down = False
        self.is_closed = False

    async def read(self, name: str) -> bytes:
        if name not in self.objects:
            raise BlobMissingError(name)
        return self.objects[name]

    async def write(self, name: str, data: bytes, *, only_new: bool) -> bool:
        self.begun.set()
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.is_down:
            raise StoreUnavailableError("down")
        if only_new and name in self.objects:
            return False
        self.objects[name] = data
        return True

    async def info(self, name: str) -> ObjectInfo | None:
        if self.is_down:
            raise StoreUnavailableError("down")
        if name not in self.objects:
            return None
        return ObjectInfo(name=name, size_bytes=len(self.objects[name]), modified_at=dt.datetime.now(dt.UTC))

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        for name in self.objects:
            if name.startswith(prefix) and (info := await self.info(name)) is not None:
                yield info

    async def delete(self, names: Iterable[str]) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.fixture
def backend() -> Stalling:
    return Stalling()


@pytest.fixture
def store(backend: Stalling, monkeypatch: pytest.MonkeyPatch) -> AsyncStore:
    monkeypatch.setattr(module, "_LOOK_AFTER_SECONDS", 0.01)
    return AsyncStore(backend, url="test://")


async def test_a_blob_that_another_machine_wrote_meanwhile_is_not_waited_for(
    store: AsyncStore, backend: Stalling
) -> None:
    async with asyncio.timeout(120):
        putting = asyncio.create_task(store.put(DATA))
        await backend.begun.wait()
        sha256 = hashlib.sha256(DATA).hexdigest()
        backend.objects[blob_name(sha256)] = DATA
        assert await putting == sha256
        assert backend.cancelled == 1


async def test_a_name_that_another_machine_took_meanwhile_is_lost_without_waiting(
    store: AsyncStore, backend: Stalling
) -> None:
    async with asyncio.timeout(120):
        for theirs in (b"theirs", b"another"[: len(DATA)].ljust(len(DATA))):
            backend.begun.clear()
            backend.objects.clear()
            writing = asyncio.create_task(store.put_named("batches/1", DATA, only_new=True))
            await backend.begun.wait()
            backend.objects["batches/1"] = theirs
            assert await writing is False


async def test_a_name_under_which_the_same_bytes_appear_may_be_ours_and_is_waited_for(
    store: AsyncStore, backend: Stalling
) -> None:
    async with asyncio.timeout(120):
        writing = asyncio.create_task(store.put_named("batches/1", DATA, only_new=True))
        await backend.begun.wait()
        backend.objects["batches/1"] = DATA
        assert not (await asyncio.wait({writing}, timeout=0.1))[0]
        del backend.objects["batches/1"]
        backend.answer.set()
        assert await writing is True


async def test_what_the_write_says_counts_when_nothing_else_answers(store: AsyncStore, backend: Stalling) -> None:
    backend.is_down = True
    async with asyncio.timeout(120):
        putting = asyncio.create_task(store.put(DATA))
        await backend.begun.wait()
        await asyncio.wait({putting}, timeout=0.05)
        backend.answer.set()
        with pytest.raises(StoreUnavailableError):
            await putting


async def test_a_writer_that_is_cancelled_leaves_no_write_behind(store: AsyncStore, backend: Stalling) -> None:
    async with asyncio.timeout(120):
        writing = asyncio.create_task(store.put_named("batches/1", DATA, only_new=True))
        await backend.begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert backend.cancelled == 1


async def test_a_store_whose_closing_is_cancelled_lets_go_of_its_backend_all_the_same(
    store: AsyncStore, backend: Stalling
) -> None:
    async with asyncio.timeout(120):
        putting = asyncio.create_task(store.put(DATA))
        await backend.begun.wait()
        closing = asyncio.create_task(store.aclose())
        assert not (await asyncio.wait({closing}, timeout=0.05))[0]
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert backend.is_closed
        backend.answer.set()
        await putting
