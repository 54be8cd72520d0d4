"""A store that is not there is said to be not there, in bounded time and in words."""

import datetime as dt
import os
import socket
import time
from pathlib import Path

import msgspec
import pytest

from producer.errors import StoreUnavailableError
from producer.settings import Settings
from producer.store import file, open_store
from tasks.stack.ports import free_port


async def test_a_server_that_is_down_is_unavailable(s3_settings: Settings) -> None:
    nowhere = msgspec.structs.replace(
        s3_settings, store_endpoint_url=f"http://127.0.0.1:{free_port()}", store_timeout_seconds=1
    )
    async with open_store(nowhere) as store:
        with pytest.raises(StoreUnavailableError, match=r"bucket .* at http://127"):
            await store.put(b"data")
        with pytest.raises(StoreUnavailableError):
            await store.check()


async def test_a_server_that_accepts_and_never_answers_is_no_hang(s3_settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # connections wait in its backlog for ever
        port = server.getsockname()[1]
        silent = msgspec.structs.replace(
            s3_settings, store_endpoint_url=f"http://127.0.0.1:{port}", store_timeout_seconds=0.5
        )
        async with open_store(silent) as store:
            with pytest.raises(StoreUnavailableError, match=r"did not answer|cannot reach"):
                await store.get("0" * 64)


async def test_a_bucket_that_does_not_exist_is_unavailable_and_not_merely_empty(s3_settings: Settings) -> None:
    async with open_store(msgspec.structs.replace(s3_settings, store_url="s3://no-such-bucket/x")) as store:
        with pytest.raises(StoreUnavailableError, match="no bucket no-such-bucket"):
            await store.get("0" * 64)
        with pytest.raises(StoreUnavailableError, match="no bucket no-such-bucket"):
            await store.check()


async def test_a_wrong_secret_is_refused_with_where_to_look(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    async with open_store(s3_settings) as store:
        with pytest.raises(StoreUnavailableError, match="check the credentials"):
            await store.put(b"data")


async def test_credentials_are_found_in_a_profile(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    credentials.write_text(f"[fleet]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_PROFILE", "fleet")
    async with open_store(s3_settings) as store:
        assert await store.get(await store.put(b"data")) == b"data"


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with open_store(Settings(store_url=(tmp_path / "file" / "store").as_uri())) as store:
        with pytest.raises(StoreUnavailableError, match="file"):
            await store.put(b"data")


async def test_a_folder_that_cannot_be_read_is_unavailable_and_not_merely_empty(tmp_path: Path) -> None:
    """Proofs that no batch names are deleted: what names them must never be overlooked."""
    (tmp_path / "batches").symlink_to("batches")
    async with open_store(Settings(store_url=tmp_path.as_uri())) as store:
        with pytest.raises(StoreUnavailableError, match="batches"):
            _ = [info async for info in store.list("batches/manifests/")]


async def test_a_folder_of_any_size_is_listed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_PAGE", 2)
    names = {f"blobs/{number}" for number in range(5)}
    async with open_store(Settings(store_url=tmp_path.as_uri())) as store:
        for name in names:
            await store.put_named(name, b"")
        assert {info.name async for info in store.list("blobs/")} == names


async def test_a_half_written_file_is_never_an_object_and_goes_when_it_is_old(tmp_path: Path) -> None:
    """A process that is killed while it writes leaves one."""
    folder = tmp_path / "blobs" / "00"
    folder.mkdir(parents=True)
    old, new = folder / ".leanfleet-0123", folder / ".leanfleet-4567"
    for path, age_seconds in ((old, 3700), (new, 3500)):
        path.write_bytes(b"da")
        past = time.time() - age_seconds
        os.utime(path, (past, past))
    async with open_store(Settings(store_url=tmp_path.as_uri())) as store:
        assert [info async for info in store.list()] == []
        for dry_run in (True, False):
            assert old.exists()
            swept = await store.sweep(older_than=dt.timedelta(0), dry_run=dry_run)
            assert [info.name for info in swept] == ["blobs/00/.leanfleet-0123"]
        assert not old.exists()
        assert new.exists()


async def test_a_folder_that_cannot_be_read_keeps_nothing_else_from_being_swept(tmp_path: Path) -> None:
    """At the root of a volume there is root's `lost+found`; here one that nobody can read by its path."""
    left = tmp_path / "blobs" / ".leanfleet-0123"
    left.parent.mkdir()
    left.write_bytes(b"da")
    os.utime(left, (0, 0))
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # each name as long as may be: the path of the last is longer than a path may be
        os.mkdir("x" * 255, dir_fd=at)
        below = os.open("x" * 255, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    async with open_store(Settings(store_url=tmp_path.as_uri())) as store:
        with pytest.raises(StoreUnavailableError, match="too long"):
            _ = [info async for info in store.list()]
        assert await store.sweep(older_than=dt.timedelta(0))
    assert not left.exists()
