"""Images in a store: what is kept, what is shared, and what is refused before CRIU sees it."""

import asyncio
import dataclasses
import datetime as dt
import hashlib
import os
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from producer.errors import StoreError
from producer.settings import Settings
from producer.store import AsyncStore, open_store
from tests.integration.images.cold import LONG_SECONDS, Freezer, run, small_disk
from workers.images.archive import CHUNKS, IMAGES, Archive, name_of
from workers.images.errors import ImageError, ImageRefusedError
from workers.images.image import Image, stamps, written_files
from workers.images.machine import this_machine
from workers.images.manifest import Manifest
from workers.states.signing import Signer

pytestmark = pytest.mark.parametrize("project", ["scripted"], indirect=True)
SIGNER = Signer("a-secret-of-this-fleet")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AsyncStore]:
    folder = tmp_path / "store"
    folder.mkdir()
    async with open_store(Settings(store_url=f"file://{folder}")) as store:
        yield store


@pytest.fixture
def archive(store: AsyncStore) -> Archive:
    return Archive(store, SIGNER)


@pytest.fixture
async def image(freezer: Freezer) -> Image:
    return await freezer.freeze(await freezer.start())


async def fetch(archive: Archive, manifest: Manifest, freezer: Freezer) -> Image:
    return await archive.fetch(manifest, here=this_machine(freezer.criu.version), parent=freezer.folder)


async def test_an_image_comes_back_as_it_was_and_thaws(archive: Archive, image: Image, freezer: Freezer) -> None:
    manifest = await archive.add(image)
    back = await fetch(archive, await archive.read(name_of(manifest)), freezer)
    assert back.warm == image.warm
    assert back.mapped == image.mapped
    assert {p.name: p.read_bytes() for p in back.written} == {p.name: p.read_bytes() for p in image.written}
    assert (await run(await freezer.thaw(back), "", 0)).environment == 1


async def test_storing_it_again_changes_nothing(archive: Archive, store: AsyncStore, image: Image) -> None:
    first = await archive.add(image)
    before = {info.name: info.modified_at async for info in store.list(CHUNKS)}
    assert await archive.add(image) == first
    assert {info.name: info.modified_at async for info in store.list(CHUNKS)} == before


async def test_an_image_is_found_by_project_header_and_machine(
    archive: Archive, image: Image, freezer: Freezer
) -> None:
    manifest = await archive.add(image)
    here = this_machine(freezer.criu.version)
    assert await archive.find(image.warm.project, image.warm.header, here) == (manifest,)
    assert await archive.find(image.warm.project, "import Other", here) == ()
    assert await archive.find("another", image.warm.header, here) == ()
    elsewhere = msgspec.structs.replace(here, cpu_flags=())
    with pytest.raises(ImageRefusedError, match="this processor lacks"):
        await archive.find(image.warm.project, image.warm.header, elsewhere)


async def test_without_a_key_nothing_is_stored(store: AsyncStore, image: Image) -> None:
    with pytest.raises(ImageError, match="BLOB_KEYS"):
        await Archive(store, Signer("")).add(image)


async def test_another_fleets_image_is_refused_and_not_found(
    archive: Archive, store: AsyncStore, image: Image, freezer: Freezer
) -> None:
    manifest = await Archive(store, Signer("a-secret-of-another-fleet")).add(image)
    with pytest.raises(ImageRefusedError, match="no signature of this fleet"):
        await fetch(archive, manifest, freezer)
    with pytest.raises(ImageRefusedError, match="no signature of this fleet"):
        await archive.find(image.warm.project, image.warm.header, image.warm.machine)
    assert "no signature" in await archive.verify(manifest)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernel": "2.6.32"}, "kernel 2.6.32"),
        ({"architecture": "vax"}, "architecture vax"),
        ({"criu": "3.17"}, "CRIU 3.17"),
        ({"cpu_flags": ("quantum",)}, "lacks quantum"),
    ],
)
async def test_what_does_not_fit_the_machine_is_refused(
    archive: Archive, image: Image, freezer: Freezer, changes: dict[str, object], words: str
) -> None:
    machine = msgspec.structs.replace(image.warm.machine, **changes)
    other = dataclasses.replace(image, warm=msgspec.structs.replace(image.warm, machine=machine))
    manifest = await archive.add(other)
    with pytest.raises(ImageRefusedError, match=words):
        await fetch(archive, manifest, freezer)


async def test_another_library_is_noticed_though_its_size_is_the_same(
    archive: Archive, image: Image, freezer: Freezer
) -> None:
    library = freezer.folder / "library.so"
    library.write_bytes(b"one")
    status = library.stat()
    stamp = next(iter(image.mapped.values()))._replace(
        inode=status.st_ino, size_bytes=status.st_size, modified_ns=status.st_mtime_ns
    )
    manifest = await archive.add(dataclasses.replace(image, mapped={**image.mapped, library: stamp}))
    library.write_bytes(b"two")
    with pytest.raises(ImageRefusedError, match=r"made with another .*library"):
        await fetch(archive, manifest, freezer)
    library.unlink()
    with pytest.raises(ImageRefusedError, match="No such file"):
        await fetch(archive, manifest, freezer)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_no_damage_to_a_stored_image_goes_unnoticed(
    archive: Archive, store: AsyncStore, image: Image, freezer: Freezer
) -> None:
    """Truncated, flipped, emptied, swapped with another's: every object of it, in turn and at random places."""
    rng = random.Random(5)
    manifest = await archive.add(image)
    folder = Path(store.url.removeprefix("file://"))
    objects = files(folder)
    before = set(freezer.folder.iterdir())
    for path in objects:
        sound = path.read_bytes()
        flipped = bytearray(sound)
        flipped[rng.randrange(len(sound))] ^= 1 << rng.randrange(8)
        other = rng.choice([each for each in objects if each != path]).read_bytes()
        for damaged in (bytes(flipped), sound[: rng.randrange(len(sound))], b"", other):
            if hashlib.sha256(damaged).digest() == hashlib.sha256(sound).digest():
                continue
            path.write_bytes(damaged)
            with pytest.raises(ImageRefusedError):
                await fetch(archive, await archive.read(name_of(manifest)), freezer)
            assert set(freezer.folder.iterdir()) == before, "a refused image leaves no file"
        path.write_bytes(sound)
    assert await archive.verify(manifest) == ""


async def test_no_damage_to_a_manifest_raises_anything_else(archive: Archive, image: Image) -> None:
    rng = random.Random(7)
    manifest = await archive.add(image)
    sound = manifest.to_json()
    damages = [b"[" * 100_000, b"", sound[:-1]]
    for _ in range(500):
        flipped = bytearray(sound)
        flipped[rng.randrange(len(sound))] ^= 1 << rng.randrange(8)
        damages.append(bytes(flipped))
    for damaged in damages:
        try:
            read = Manifest.from_json(damaged, expected_id=manifest.id)
            read.require_signature(SIGNER)
        except ImageRefusedError:
            continue
        assert read == manifest  # the name of a field that says what is meant without it


async def test_a_store_that_hangs_is_given_up(
    archive: Archive, store: AsyncStore, image: Image, freezer: Freezer, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = await archive.add(image)
    before = set(freezer.folder.iterdir())
    monkeypatch.setattr("workers.images.archive.STALL_SECONDS", 0.1)
    monkeypatch.setattr(store, "get", lambda *_, **__: asyncio.Event().wait())
    with pytest.raises(ImageError, match="no further part"):
        await asyncio.wait_for(fetch(archive, manifest, freezer), LONG_SECONDS)
    assert set(freezer.folder.iterdir()) == before


async def test_a_manifest_cannot_name_a_file_elsewhere(archive: Archive, store: AsyncStore, image: Image) -> None:
    manifest = await archive.add(image)
    part = msgspec.structs.replace(manifest.parts[0], name="../escaped")
    evil = msgspec.structs.replace(manifest, parts=(part,)).signed(SIGNER)
    await store.put_named(name_of(evil), evil.to_json())
    with pytest.raises(ImageRefusedError, match="names files"):
        await archive.read(name_of(evil))


async def test_a_full_disk_costs_an_error_and_no_file_when_an_image_is_fetched(
    archive: Archive, image: Image, freezer: Freezer
) -> None:
    manifest = await archive.add(image)
    with small_disk(freezer.folder / "small") as small:
        with pytest.raises(ImageError, match="No space left"):
            await archive.fetch(manifest, here=image.warm.machine, parent=small)
        assert not list(small.iterdir())


async def test_a_store_on_a_full_disk_gets_no_manifest_of_half_an_image(
    archive: Archive, image: Image, freezer: Freezer
) -> None:
    manifest = await archive.add(image)
    with small_disk(freezer.folder / "small") as small:
        async with open_store(Settings(store_url=small.as_uri())) as store:
            full = Archive(store, SIGNER)
            with pytest.raises(StoreError):
                await full.add(image)
            with pytest.raises(StoreError):
                await archive.copy(manifest, full)
            assert not [name async for name in full.names()]


async def test_the_archive_of_an_image_depends_on_nothing_else(
    archive: Archive, image: Image, freezer: Freezer
) -> None:
    """The same dump, from another folder and into another store: the same id, and the same objects."""
    elsewhere = Path(shutil.copytree(image.folder, freezer.folder / "elsewhere"))
    for path in written_files(elsewhere):
        os.utime(path, (1, 1))
    copy = dataclasses.replace(image, folder=elsewhere, written=stamps(written_files(elsewhere)))
    folder = freezer.folder / "another store"
    folder.mkdir()
    async with open_store(Settings(store_url=folder.as_uri())) as store:
        other = Archive(store, SIGNER)
        assert await other.add(copy) == await archive.add(image)
        assert [name async for name in other.names("")] == [name async for name in archive.names("")]


async def test_removing_an_image_keeps_what_others_use(archive: Archive, store: AsyncStore, image: Image) -> None:
    other = dataclasses.replace(image, warm=msgspec.structs.replace(image.warm, header="import Other"))
    first, second = await archive.add(image), await archive.add(other)
    assert first.id != second.id
    assert first.chunks == second.chunks
    assert await archive.remove([name_of(first)]) == 0
    assert await archive.verify(second) == ""
    assert await archive.remove([name_of(second)]) == len(second.chunks)
    assert not [info async for info in store.list()]


async def test_nothing_that_an_unreadable_image_may_use_is_deleted(
    archive: Archive, store: AsyncStore, image: Image
) -> None:
    other = dataclasses.replace(image, warm=msgspec.structs.replace(image.warm, header="import Other"))
    first, second = await archive.add(image), await archive.add(other)
    newer = msgspec.structs.replace(second, format=2)
    await store.put_named(name_of(second), newer.to_json())
    before = [info.name async for info in store.list()]
    now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    with pytest.raises(ImageRefusedError, match=second.id[:12]):
        await archive.remove([name_of(first)])
    with pytest.raises(ImageRefusedError, match="format 2"):
        await archive.sweep(now)
    assert [info.name async for info in store.list()] == before
    assert await archive.remove([name_of(first), name_of(second)]) == len(first.chunks)


async def test_what_others_have_put_into_the_bucket_is_left_alone(
    archive: Archive, store: AsyncStore, image: Image
) -> None:
    manifest = await archive.add(image)
    folder = Path(store.url.removeprefix("file://"))
    strays = [folder / kind / "a name of another's" for kind in (IMAGES, CHUNKS)]
    for stray in strays:
        stray.touch()
    assert [name async for name, _ in archive.manifests()] == [name_of(manifest)]
    assert (await archive.sweep(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))).chunks == 0
    assert await archive.remove([name_of(manifest)]) == len(manifest.chunks)
    assert {*files(folder)} == {*strays}


def make_old(store: AsyncStore) -> dt.datetime:
    """All chunks were written a day ago; a moment after that."""
    now = dt.datetime.now(dt.UTC)
    for path in files(Path(store.url.removeprefix("file://"), CHUNKS)):
        os.utime(path, times=((now - dt.timedelta(days=1)).timestamp(),) * 2)
    return now - dt.timedelta(hours=3)


@pytest.mark.parametrize("how", ["add", "copy"])
async def test_what_a_push_finds_from_long_ago_is_not_swept_before_the_push_ends(
    archive: Archive, image: Image, freezer: Freezer, how: str
) -> None:
    manifest = await archive.add(image)
    folder = freezer.folder / "remote"
    folder.mkdir()
    async with open_store(Settings(store_url=folder.as_uri())) as other:
        remote = Archive(other, SIGNER)
        await remote.add(image)
        await other.delete([name_of(manifest)])  # as a push leaves it that was broken off
        before = make_old(other)
        write = other.put_named

        async def sweep_first(name: str, data: bytes, *, only_new: bool = False) -> bool:
            assert (await remote.sweep(before)).chunks == 0
            return await write(name, data, only_new=only_new)

        other.put_named = sweep_first  # type: ignore[method-assign]
        await (remote.add(image) if how == "add" else archive.copy(manifest, remote))
        assert await remote.verify(manifest) == ""


async def test_a_chunk_that_is_renewed_during_a_sweep_stays(
    archive: Archive, store: AsyncStore, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = await archive.add(image)
    await store.delete([name_of(manifest)])
    before = make_old(store)
    look = archive._chunks

    async def renew_meanwhile(doomed: list[str]) -> tuple[set[str], set[str]]:
        found = await look(doomed)
        await archive.add(image)
        return found

    monkeypatch.setattr(archive, "_chunks", renew_meanwhile)
    assert (await archive.sweep(before)).chunks == 0
    assert await archive.verify(manifest) == ""


async def test_an_image_is_copied_to_another_store(archive: Archive, image: Image, freezer: Freezer) -> None:
    folder = freezer.folder / "remote"
    folder.mkdir()
    manifest = await archive.add(image)
    async with open_store(Settings(store_url=f"file://{folder}")) as other:
        remote = Archive(other, SIGNER)
        await archive.copy(manifest, remote)
        assert [name async for name, _ in remote.manifests()] == [name_of(manifest)]
        assert await remote.verify(manifest) == ""


async def test_an_image_is_not_stored_when_its_files_have_changed_meanwhile(archive: Archive, image: Image) -> None:
    os.truncate(image.folder / "pages-1.img", 4096)
    with pytest.raises(ImageError, match="was changed"):
        await archive.add(image)
