from pathlib import Path

import pytest

from producer.errors import SettingsError
from producer.settings import Settings
from producer.store import open_store


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "LEANFLEET_STORE_URL"),
        ("/var/states", "file:///folder"),
        ("file://host/folder", "absolute"),
        ("file:folder", "absolute"),
        ("file:///states#2", "%23"),
        ("s3:///prefix", "bucket"),
        ("s3://Bad_Bucket/prefix", "bucket"),
        ("s3://bucket/prefix?region=x", "bucket"),
        ("gs://bucket/prefix", "s3://bucket/prefix"),
    ],
)
def test_a_url_that_is_no_store_is_refused_with_what_to_write(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        open_store(Settings(store_url=url))


def test_a_password_in_a_url_is_never_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(Settings(store_url="ftp://me:secret@host/x"))
    assert "secret" not in str(caught.value)


async def test_a_folder_with_spaces_can_be_named(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    async with open_store(Settings(store_url=folder.as_uri())) as store:
        await store.put(b"data")
    assert folder.is_dir()
