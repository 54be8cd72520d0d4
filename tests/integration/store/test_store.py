"""What every store promises."""

import asyncio
import datetime as dt
import hashlib
import os

import pytest

from producer.errors import BlobCorruptError, BlobMissingError, InvalidInputError
from producer.store.store import RECIPES, AsyncStore, blob_name


async def names(store: AsyncStore, prefix: str) -> list[str]:
    return sorted([info.name async for info in store.list(prefix)])


DATA = b"a pickled state\x00\xff" * 100


async def test_what_was_put_is_got_under_the_hash_of_its_bytes(store: AsyncStore) -> None:
    sha256 = await store.put(DATA)
    assert sha256 == hashlib.sha256(DATA).hexdigest()
    assert await store.get(sha256) == DATA
    assert await store.exists(sha256)


@pytest.mark.parametrize("data", [b"", os.urandom(9_000_000)], ids=["empty", "9 MB"])
async def test_blobs_of_any_size_come_back(store: AsyncStore, data: bytes) -> None:
    assert await store.get(await store.put(data)) == data


async def test_a_blob_that_is_not_there_is_missing(store: AsyncStore) -> None:
    absent = "0" * 64
    assert not await store.exists(absent)
    with pytest.raises(BlobMissingError):
        await store.get(absent)


@pytest.mark.parametrize(
    "damaged",
    [DATA[:-1], DATA + b"x", b"", bytes([DATA[0] ^ 1]) + DATA[1:]],
    ids=["truncated", "longer", "emptied", "one bit"],
)
async def test_a_damaged_blob_is_noticed_and_mended_by_whoever_puts_it_again(store: AsyncStore, damaged: bytes) -> None:
    sha256 = await store.put(DATA)
    await store.put_named(blob_name(sha256), damaged)
    with pytest.raises(BlobCorruptError, match="damaged"):
        await store.get(sha256)
    await store.put(DATA)
    assert await store.get(sha256) == DATA


async def test_a_put_never_writes_over_a_blob_that_is_there(store: AsyncStore) -> None:
    sha256 = await store.put(DATA)
    first = await store.info(blob_name(sha256))
    assert first is not None
    assert await store.put_named(blob_name(sha256), b"somebody else's", only_new=True) is False
    assert await store.put(DATA) == sha256
    assert await store.info(blob_name(sha256)) == first


async def test_a_thousand_concurrent_puts_of_the_same_bytes_are_one_object(store: AsyncStore) -> None:
    hashes = await asyncio.gather(*(store.put(DATA) for _ in range(1000)))
    assert len(set(hashes)) == 1
    assert [info.name async for info in store.list("blobs/")] == [blob_name(hashes[0])]


async def test_a_thousand_concurrent_puts_from_many_machines_are_one_object(machines: list[AsyncStore]) -> None:
    hashes = await asyncio.gather(*(store.put(DATA) for _ in range(1000 // len(machines)) for store in machines))
    assert len(set(hashes)) == 1
    assert [info.name async for info in machines[0].list("blobs/")] == [blob_name(hashes[0])]
    assert await machines[-1].get(hashes[0]) == DATA


async def test_of_many_machines_that_write_one_name_exactly_one_wins(machines: list[AsyncStore]) -> None:
    contents = [f"machine {number}".encode() for number in range(len(machines))]
    won = await asyncio.gather(
        *(store.put_named("batches/1", data, only_new=True) for store, data in zip(machines, contents, strict=True))
    )
    assert won.count(True) == 1
    assert await machines[0].get_named("batches/1") == contents[won.index(True)]


async def test_of_many_writers_of_one_name_exactly_one_wins(store: AsyncStore) -> None:
    contents = [f"writer {number}".encode() for number in range(16)]
    won = await asyncio.gather(*(store.put_named("batches/1", data, only_new=True) for data in contents))
    assert won.count(True) == 1
    assert await store.get_named("batches/1") == contents[won.index(True)]


async def test_a_cancelled_put_takes_no_other_with_it(store: AsyncStore) -> None:
    doomed = asyncio.create_task(store.put(DATA))
    await asyncio.sleep(0)
    other = asyncio.create_task(store.put(DATA))
    await asyncio.sleep(0)
    doomed.cancel()
    assert await store.get(await other) == DATA
    with pytest.raises(asyncio.CancelledError):
        await doomed


async def test_named_objects_are_replaced_listed_and_deleted(store: AsyncStore) -> None:
    for name in ("batches/a/2", "batches/a/1", "batches/a-b", "batches/b/1", "other"):
        await store.put_named(name, name.encode())
    await store.put_named("other", b"new")
    assert await store.get_named("other") == b"new"
    assert await names(store, "batches/a") == ["batches/a-b", "batches/a/1", "batches/a/2"]
    assert await names(store, "batches/a/") == ["batches/a/1", "batches/a/2"]
    assert len(await names(store, "")) == 5
    assert await names(store, "nothing/") == []
    await store.delete(["batches/a/1", "batches/never/was"])
    assert await names(store, "batches/a/") == ["batches/a/2"]
    assert await store.info("batches/a/1") is None
    with pytest.raises(BlobMissingError):
        await store.get_named("batches/a/1")


async def test_an_object_knows_its_size_and_when_it_was_written(store: AsyncStore) -> None:
    await store.put_named("object", b"12345")
    info = await store.info("object")
    assert info is not None
    assert (info.name, info.size_bytes) == ("object", 5)
    assert abs(dt.datetime.now(dt.UTC) - info.modified_at) < dt.timedelta(hours=1)


async def test_recipes_lie_apart_from_blobs(store: AsyncStore) -> None:
    sha256 = await store.put(DATA, folder=RECIPES)
    assert not await store.exists(sha256)
    assert await store.get(sha256, folder=RECIPES) == DATA


@pytest.mark.parametrize("name", ["", "/x", "x/", "a//b", "../x", "a/../b", ".hidden", "a b", "ü", "x" * 600, "a\nb"])
async def test_a_name_that_no_store_could_hold_is_refused(store: AsyncStore, name: str) -> None:
    with pytest.raises(InvalidInputError):
        await store.put_named(name, b"")


async def test_a_hash_that_is_none_is_refused(store: AsyncStore) -> None:
    with pytest.raises(InvalidInputError):
        await store.get("../../etc/passwd")


async def test_a_store_that_works_passes_its_check(store: AsyncStore) -> None:
    await store.check()
