"""Deleting batches: they are gone, and nothing else is."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from producer.batch import archive, removal
from producer.batch.batches import Batches
from producer.batch.snapshot import State
from producer.errors import BatchError, InvalidInputError
from producer.settings import Settings
from producer.store import open_store
from tests.integration.batch.test_batches import finished, texts, worker
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs may be swept at once."""
    monkeypatch.setattr(removal, "GRACE", dt.timedelta(0))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PROOFS_PER_CHUNK", 2)


@pytest.fixture
async def names(settings: Settings) -> AsyncIterator[Any]:
    async with open_store(settings) as store:

        async def look() -> set[str]:
            return {info.name async for info in store.list()}

        yield look


@pytest.mark.usefixtures("impatient")
async def test_a_batch_that_is_deleted_leaves_nothing_behind(
    settings: Settings, batches: Batches, server: redis.Redis, names: Any
) -> None:
    batch_id = (await batches.submit(texts(5))).id
    with worker(settings):
        await finished(batches, batch_id)
    before = await names()
    told = await batches.remove([batch_id[:6]], dry_run=True)
    assert (told.ids, told.objects) == ((batch_id,), len(before))
    assert await names() == before
    done = await batches.remove([batch_id[:6]])
    assert done == told
    assert (await names(), server.keys("*batch*")) == (set(), [])
    with pytest.raises(BatchError, match="there is no batch"):
        await batches.status(batch_id)
    again = await batches.submit(texts(5))
    assert (again.id, again.is_new) == (batch_id, True)


@pytest.mark.usefixtures("impatient", "small_chunks")
async def test_proofs_that_another_batch_has_are_kept(settings: Settings, batches: Batches) -> None:
    ids = [(await batches.submit(texts(count))).id for count in (4, 6)]
    with worker(settings):
        for batch_id in ids:
            await finished(batches, batch_id)
    await batches.remove([ids[1]])
    assert [batch.id for batch in await batches.all()] == [ids[0]]
    async with Batches(settings) as other:
        assert await other.rerun(ids[0], everything=True) == 4
        with worker(settings):
            assert (await finished(other, ids[0])).verdicts == {"proved": 4}


async def test_proofs_that_were_written_lately_may_be_of_a_submission_and_stay(batches: Batches, names: Any) -> None:
    batch_id = (await batches.submit(texts(3))).id
    await batches.cancel(batch_id)
    await batches.remove([batch_id])
    assert {name.partition("/")[0] for name in await names()} == {"proofs"}


async def test_a_running_batch_is_refused_by_its_id_and_left_by_its_age(batches: Batches, names: Any) -> None:
    running = (await batches.submit(texts(2))).id
    ended = (await batches.submit(texts(3))).id
    await batches.cancel(ended)
    before = await names()
    with pytest.raises(BatchError, match=r"is running.*Nothing was deleted"):
        await batches.remove([ended, running])
    assert await names() == before
    done = await batches.remove(older_than_seconds=0)
    assert (done.ids, done.spared) == ((ended,), (running,))
    assert (await batches.status(running)).state is State.RUNNING


async def test_a_batch_whose_last_answer_nobody_saw_is_not_taken_for_running(
    settings: Settings, batches: Batches
) -> None:
    batch_id = (await batches.submit(texts(3))).id
    with worker(settings) as responder:
        await until(lambda: len(responder.deliveries) == 3, "all are answered")
    async with Batches(settings) as other:
        assert (await other.remove([batch_id])).ids == (batch_id,)


async def test_only_what_is_old_enough_is_deleted(batches: Batches) -> None:
    batch_id = (await batches.submit(texts(2))).id
    await batches.cancel(batch_id)
    assert (await batches.remove(older_than_seconds=3600)).ids == ()
    assert (await batches.remove([batch_id], older_than_seconds=3600)).ids == ()
    assert (await batches.status(batch_id)).state is State.CANCELLED


async def test_what_cannot_be_deleted_is_said(batches: Batches) -> None:
    with pytest.raises(InvalidInputError, match="by their ids, or by an age"):
        await batches.remove()
    with pytest.raises(InvalidInputError, match="negative"):
        await batches.remove(older_than_seconds=-1)
    with pytest.raises(BatchError, match="there is no batch"):
        await batches.remove(["abcdef"])
