"""What `leanfleet doctor` finds out about a store."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from producer.commands import doctor
from producer.errors import BlobMissingError, StoreUnavailableError
from producer.requirements import Level
from producer.settings import Settings
from producer.store import AsyncStore
from producer.store.backend import Backend, ObjectInfo


class Careless(Backend):
    """A store that knows no conditional writes, as some S3 servers do not."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def read(self, name: str) -> bytes:
        if name not in self.objects:
            raise BlobMissingError(name)
        return self.objects[name]

    async def write(self, name: str, data: bytes, *, only_new: bool) -> bool:  # noqa: ARG002 - that is what is wrong
        self.objects[name] = data
        return True

    async def info(self, name: str) -> ObjectInfo | None:
        raise NotImplementedError

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:  # noqa: ARG002 - it is empty
        for info in list[ObjectInfo]():
            yield info

    async def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self.objects.pop(name, None)


async def test_a_store_that_lets_both_of_two_writers_win_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Careless()
    monkeypatch.setattr(doctor, "open_store", lambda _: AsyncStore(backend, url="s3://careless"))
    (finding,) = await doctor.examine_store(Settings(store_url="s3://careless"))
    assert finding.level is Level.ERROR
    assert "lets two writers of one name both win" in finding.found
    assert "conditional writes" in finding.advice
    assert backend.objects == {}


class Unforgetting(Careless):
    """We may write and not delete, which is all that workers need."""

    async def write(self, name: str, data: bytes, *, only_new: bool) -> bool:
        if only_new and name in self.objects:
            return False
        self.objects[name] = data
        return True

    async def delete(self, names: Iterable[str]) -> None:
        raise StoreUnavailableError(f"refused: {list(names)}")


async def test_a_store_from_which_nothing_may_be_deleted_is_no_read_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "open_store", lambda _: AsyncStore(Unforgetting(), url="s3://unforgetting"))
    fine, warning = await doctor.examine_store(Settings(store_url="s3://unforgetting"))
    assert (fine.level, warning.level) == (Level.FINE, Level.WARNING)
    assert "cannot be deleted" in warning.found


async def test_a_good_store_is_left_as_it_was(tmp_path: Path) -> None:
    (finding,) = await doctor.examine_store(Settings(store_url=tmp_path.as_uri()))
    assert finding.level is Level.FINE
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240 - a test
