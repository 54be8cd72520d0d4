"""A batch from its submission to its results, on a real broker and both kinds of store."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis

from producer.batch import collector, publication
from producer.batch.batches import Batches
from producer.batch.mailbox import Lock, Mailbox
from producer.batch.snapshot import State
from producer.batch.status import Status
from producer.errors import (
    BatchError,
    BlobCorruptError,
    BrokerUnavailableError,
    InvalidInputError,
    SettingsError,
    StoreError,
)
from producer.judgement import Verdict
from producer.operation import VerifyProof
from producer.outcome import Outcome
from producer.publisher import RedisPublisher
from producer.reply import Reply, encode_reply
from producer.result import AnyResult, VerifyProofResult
from producer.settings import Settings
from producer.store import AsyncStore
from tests.integration.client.responder import Delivery, Responder
from tests.waiting import DEADLINE_SECONDS, wait_until

pytestmark = pytest.mark.usefixtures("server")


def texts(count: int, kinds: Sequence[str] = ("ok",)) -> list[dict[str, Any]]:
    """Theorems whose names say how they end."""
    return [{"id": f"p{n}", "code": f"theorem {kinds[n % len(kinds)]}{n} : True := trivial"} for n in range(count)]


def lean(delivery: Delivery) -> AnyResult | None:
    """Answers as a worker would, after the theorem's name; `silent` ones are never answered."""
    assert isinstance(delivery.operation, VerifyProof)
    name = delivery.operation.proof.split()[1]
    if name.startswith("silent"):
        return None
    if name.startswith("timeout") and delivery.operation.timeout_seconds < 100:
        return VerifyProofResult(outcome=Outcome.TIMEOUT, reason="killed")
    if name.startswith("died"):
        return VerifyProofResult(outcome=Outcome.REPL_DIED, reason="killed")
    if name.startswith("wrong"):
        reasons = ("lean_error: 1:3: type mismatch",)
        return VerifyProofResult(outcome=Outcome.LEAN_ERROR, verdict=Verdict.NOT_PROVED, reasons=reasons)
    return VerifyProofResult(outcome=Outcome.OK, verdict=Verdict.PROVED, worker="w")


def worker(settings: Settings) -> Responder:
    return Responder(url=settings.broker_url, queue=settings.queue, answer=lean)


async def finished(batches: Batches, batch_id: str) -> Status:
    async with asyncio.timeout(DEADLINE_SECONDS):
        statuses = [status async for status in batches.watch(batch_id, every_seconds=0.02)]
    return statuses[-1]


async def answered(batches: Batches, batch_id: str, count: int) -> Status:
    """Wait until that many answers are there, without watching, which would save them."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (status := await batches.status(batch_id)).answered < count:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)
    return status


def answers_key(server: redis.Redis, batch_id: str) -> str:
    """Of the only attempt that is open; part of it is random."""
    (key,) = (str(key, "ascii") for key in server.scan_iter(f"leanfleet:batch:{batch_id}:*"))
    return key


# -- a batch's life ----------------------------------------------------------------------------------------------------


async def test_a_batch_is_answered_watched_and_read(settings: Settings, batches: Batches, server: redis.Redis) -> None:
    submission = await batches.submit(texts(20, ("ok", "wrong", "timeout", "died")), name="first")
    assert submission.is_new
    with worker(settings) as responder:
        status = await finished(batches, submission.id)
    assert status.state is State.FINISHED
    assert (status.name, status.answered, status.unanswered) == ("first", 20, 0)
    assert status.verdicts == {"error": 10, "not_proved": 5, "proved": 5}
    assert status.outcomes == {"lean_error": 5, "ok": 5, "repl_died": 5, "timeout": 5}
    results = await batches.results(submission.id)
    assert [result.id for result in results] == [f"p{n}" for n in range(20)]
    assert results[1].reasons == ("lean_error: 1:3: type mismatch",)
    assert results[0].worker == "w"
    assert responder.deliveries[0].headers["argsrepr"] == "p0"
    assert responder.deliveries[0].call_id.startswith(f"{submission.id}.1.0.")
    # The broker is freed of everything.
    assert server.keys("leanfleet:batch:*") == []
    # Another process reads the same from the store alone.
    async with Batches(settings) as other:
        assert await other.results(submission.id) == results
        assert (await other.status(submission.id[:6])).answered == 20
        assert [(listed.id, listed.state, listed.total) for listed in await other.all()] == [
            (submission.id, State.FINISHED, 20)
        ]


async def test_the_same_proofs_are_the_same_batch_unless_forced(settings: Settings, batches: Batches) -> None:
    first = await batches.submit(texts(5))
    again = await batches.submit(texts(5), name="other name")
    assert (again.id, again.is_new) == (first.id, False)
    with worker(settings) as responder:
        await finished(batches, first.id)
        assert len(responder.deliveries) == 5
        assert not (await batches.submit(texts(5))).is_new
        forced = await batches.submit(texts(5), force=True)
        assert forced.is_new
        assert forced.id != first.id
        await finished(batches, forced.id)
        assert len(responder.deliveries) == 10
    slower = await batches.submit([{**text, "timeout_seconds": 5} for text in texts(5)])
    assert slower.is_new


async def test_what_is_not_settled_runs_again_with_larger_limits(settings: Settings, batches: Batches) -> None:
    batch_id = (await batches.submit(texts(8, ("ok", "timeout", "wrong", "died")))).id
    with worker(settings) as responder:
        await finished(batches, batch_id)
        del responder.deliveries[:]
        assert await batches.rerun(batch_id, only=["timeout"], timeout_seconds=500, memory_bytes=2**30) == 2
        status = await finished(batches, batch_id)
        limits = {(each.operation.timeout_seconds, each.operation.memory_bytes) for each in responder.deliveries}
        assert limits == {(500, 2**30)}
    assert status.outcomes == {"lean_error": 2, "ok": 4, "repl_died": 2}
    assert [(each.total, each.answered, each.timeout_seconds) for each in status.attempts] == [
        (8, 8, None),
        (2, 2, 500),
    ]
    before = await batches.results(batch_id, attempt=1)
    assert [result.outcome for result in before] == ["ok", "timeout", "lean_error", "repl_died"] * 2
    found = await batches.diff(batch_id, batch_id, before_attempt=1)
    assert [change.id for change in found.changed] == ["p1", "p5"]
    assert found.same == 6


async def test_everything_runs_again_when_told_to_and_not_from_memory(settings: Settings, batches: Batches) -> None:
    batch_id = (await batches.submit(texts(3))).id
    with worker(settings) as responder:
        await finished(batches, batch_id)
        assert await batches.rerun(batch_id, everything=True) == 3
        await finished(batches, batch_id)
        assert [each.operation.fresh for each in responder.deliveries] == [False] * 3 + [True] * 3


# -- what must not go wrong --------------------------------------------------------------------------------------------


async def test_answers_reach_a_batch_whose_producer_is_gone(settings: Settings) -> None:
    async with Batches(settings) as batches:
        batch_id = (await batches.submit(texts(10))).id
    with worker(settings) as responder:
        wait_until(lambda: len(responder.deliveries) == 10, "all are answered while nobody looks")
    async with Batches(settings) as batches:
        assert (await finished(batches, batch_id)).verdicts == {"proved": 10}


async def test_counts_are_exact_with_many_watchers_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MIN_SEGMENT", 7)
    async with Batches(settings) as batches:
        batch_id = (await batches.submit(texts(150, ("ok", "wrong")))).id
    seen: list[list[int]] = []

    async def watch() -> None:
        async with Batches(settings) as watcher:
            statuses = [status async for status in watcher.watch(batch_id, every_seconds=0.005)]
        seen.append([status.answered for status in statuses])
        assert statuses[-1].verdicts == {"not_proved": 75, "proved": 75}

    with worker(settings):
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(watch())
    for counts in seen:
        assert counts == sorted(counts), "no count ever goes down"
        assert counts[-1] == 150
    async with Batches(settings) as batches:
        assert len(await batches.results(batch_id)) == 150


async def test_a_twin_of_an_answer_that_was_moved_changes_nothing(
    settings: Settings, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "MIN_SEGMENT", 1)
    async with Batches(settings) as batches:
        batch_id = (await batches.submit(texts(3, ("ok", "ok", "silent")))).id
        key = answers_key(server, batch_id)
        with worker(settings):
            await answered(batches, batch_id, 2)
        assert set(server.hkeys(key)) == {b"open", b"published"}
        twin = encode_reply(Reply(call_id="x", result=VerifyProofResult(outcome=Outcome.REPL_DIED)))
        server.hset(key, "0", twin)
        for known in (batches, Batches(settings)):
            async with known:
                assert (await known.status(batch_id)).verdicts == {"proved": 2}
        assert set(server.hkeys(key)) == {b"open", b"published"}


async def test_an_answer_that_cannot_be_read_is_one_error_and_can_run_again(
    folder_settings: Settings, server: redis.Redis
) -> None:
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit(texts(1))).id
        server.hset(answers_key(server, batch_id), "0", b"\xff nonsense")
        status = await finished(batches, batch_id)
        assert status.outcomes == {"lost": 1}
        assert await batches.rerun(batch_id) == 1


async def test_a_broker_that_lost_everything_leaves_a_batch_that_can_run_again(
    settings: Settings, batches: Batches, server: redis.Redis
) -> None:
    batch_id = (await batches.submit(texts(4, ("ok", "silent")))).id
    with worker(settings):
        await answered(batches, batch_id, 2)
    server.flushall()
    async with Batches(settings) as other:
        status = await other.status(batch_id)
        assert (status.state, status.answered) == (State.LOST, 0)
        assert await other.rerun(batch_id, only=["lost"]) == 4
        assert (await other.status(batch_id)).state is State.RUNNING


class _BrokenOffError(Exception):
    """The process ends here."""


async def test_a_submission_that_was_broken_off_goes_on_where_it_was(
    settings: Settings, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "CHUNK", 10)
    advance = Mailbox.advance

    async def broken(mailbox: Mailbox, published: int) -> bool:
        if published > 20:
            raise _BrokenOffError
        return await advance(mailbox, published)

    with monkeypatch.context() as patch:
        patch.setattr(Mailbox, "advance", broken)
        batches = Batches(settings)
        with pytest.raises(_BrokenOffError):
            await batches.submit(texts(45))
        await batches.close()
    assert server.llen(settings.queue) == 30
    async with Batches(settings) as batches:
        (listed,) = await batches.all()
        assert (await batches.status(listed.id)).attempts[0].published == 20
        assert not (await batches.submit(texts(45))).is_new
        assert server.llen(settings.queue) == 30 + 25
        with worker(settings) as responder:
            status = await finished(batches, listed.id)
            assert len(responder.deliveries) >= 45
    assert status.verdicts == {"proved": 45}


async def test_a_publisher_whose_lock_ended_meanwhile_goes_on_unless_another_one_does(
    folder_settings: Settings, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "CHUNK", 10)
    renew = Lock.renew

    async def late(lock: Lock) -> bool:
        """As after an outage that lasted for longer than a lock."""
        server.delete(*server.keys("leanfleet:batch:*:publisher"))
        return await renew(lock)

    monkeypatch.setattr(Lock, "renew", late)
    seen: list[int] = []
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit(texts(45), on_progress=lambda done, _: seen.append(done))).id
        assert (await batches.status(batch_id)).attempts[0].published == 45
    assert seen == [10, 20, 30, 40, 45]
    assert server.llen(folder_settings.queue) == 45
    assert server.keys("leanfleet:batch:*:publisher") == []


async def test_a_submission_that_is_cancelled_ends_there(
    folder_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "CHUNK", 10)

    def cancel(done: int, _: int) -> None:
        if done == 20:
            submitting.cancel()

    async with Batches(folder_settings) as batches:
        submitting = asyncio.create_task(batches.submit(texts(45), on_progress=cancel))
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.wait({submitting})
        assert submitting.cancelled()
        (listed,) = await batches.all()
        assert (await batches.status(listed.id)).attempts[0].published == 20


async def test_who_was_cancelled_may_submit_and_watch_while_tidying_up(folder_settings: Settings) -> None:
    async def work() -> None:
        async with Batches(folder_settings) as batches:
            try:
                await asyncio.Event().wait()
            finally:
                batch_id = (await batches.submit(texts(2))).id
                last.append(await finished(batches, batch_id))

    last: list[Status] = []
    with worker(folder_settings):
        working = asyncio.create_task(work())
        await asyncio.sleep(0)
        working.cancel()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.wait({working})
    assert working.cancelled()
    assert [status.answered for status in last] == [2]


async def test_whoever_watches_hears_that_proofs_are_damaged(
    folder_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> bool:
        raise _BrokenOffError

    async with Batches(folder_settings) as batches:
        with monkeypatch.context() as patch:
            patch.setattr(Mailbox, "advance", broken)
            with pytest.raises(_BrokenOffError):
                await batches.submit(texts(5))
        (listed,) = await batches.all()
        for chunk in (Path(folder_settings.store_url.removeprefix("file://")) / "proofs").rglob("*"):
            if chunk.is_file():
                chunk.write_bytes(b"damaged")
        with pytest.raises(BlobCorruptError):
            await finished(batches, listed.id)


async def test_a_batch_that_was_deleted_and_submitted_again_elsewhere_is_another_one(
    folder_settings: Settings,
) -> None:
    async with Batches(folder_settings) as stays, Batches(folder_settings) as other:
        with worker(folder_settings):
            batch_id = (await stays.submit(texts(2))).id
            await finished(stays, batch_id)
        await other.remove([batch_id])
        assert (await other.submit(texts(2))).id == batch_id
        assert (await stays.status(batch_id)).answered == 0


async def test_closing_closes_every_part_whatever_becomes_of_one(
    folder_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[type] = []

    def fail(kind: type, name: str) -> None:
        async def close(_: object) -> None:
            closed.append(kind)
            raise OSError("cannot be closed")

        monkeypatch.setattr(kind, name, close)

    batches = Batches(folder_settings)
    assert await batches.all() == []
    parts = (RedisPublisher, "close"), (Redis, "aclose"), (AsyncStore, "aclose")
    for kind, name in parts:
        fail(kind, name)
    with pytest.raises(OSError, match="cannot be closed"):
        await batches.close()
    assert closed == [kind for kind, _ in parts]


async def test_whoever_watches_goes_on_with_a_submission_that_was_broken_off(
    folder_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "CHUNK", 10)

    async def away(*_: object) -> bool:
        raise BrokerUnavailableError("gone")

    impatient = Settings(
        broker_url=folder_settings.broker_url,
        store_url=folder_settings.store_url,
        queue=folder_settings.queue,
        connect_attempts=0,
    )
    with monkeypatch.context() as patch:
        patch.setattr(Mailbox, "advance", away)
        async with Batches(impatient) as batches:
            with pytest.raises(BrokerUnavailableError, match="batch watch"):
                await batches.submit(texts(25))
    with worker(folder_settings):
        async with Batches(folder_settings) as batches:
            (listed,) = await batches.all()
            assert (await finished(batches, listed.id)).verdicts == {"proved": 25}


async def test_a_store_that_takes_nothing_costs_no_answer(
    folder_settings: Settings, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit(texts(6))).id
        with worker(folder_settings) as responder:
            wait_until(lambda: len(responder.deliveries) == 6, "all are answered")
        with monkeypatch.context() as patch:
            read_only(patch)
            status = await batches.status(batch_id)
            assert status.verdicts == {"proved": 6}
            assert "6 answers stay on the broker" in status.warnings[0]
            assert len(await batches.results(batch_id)) == 6
            with pytest.raises(StoreError):
                await batches.submit(texts(7))
        assert server.llen(folder_settings.queue) == 0
        assert server.hlen(answers_key(server, batch_id)) == 8
        assert (await batches.status(batch_id)).warnings == ()
        assert server.keys("leanfleet:batch:*") == []


async def test_a_rerun_that_the_store_does_not_take_enqueues_nothing(
    folder_settings: Settings, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit(texts(4, ("died",)))).id
        with worker(folder_settings):
            await finished(batches, batch_id)
        with monkeypatch.context() as patch:
            read_only(patch)
            with pytest.raises(StoreError):
                await batches.rerun(batch_id)
        assert server.llen(folder_settings.queue) == 0
        assert len((await batches.status(batch_id)).attempts) == 1
        assert await batches.rerun(batch_id) == 4


def read_only(patch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so that permissions show nothing to tests in a container."""
    from producer.errors import StoreUnavailableError  # noqa: PLC0415
    from producer.store.file import FileBackend  # noqa: PLC0415

    async def refuse(*_: object, **__: object) -> bool:
        raise StoreUnavailableError("cannot use the store: Read-only file system")

    patch.setattr(FileBackend, "write", refuse)


async def test_a_cancelled_batch_keeps_its_answers_and_takes_no_more(
    settings: Settings, batches: Batches, server: redis.Redis
) -> None:
    batch_id = (await batches.submit(texts(6, ("ok", "silent")))).id
    with worker(settings):
        await answered(batches, batch_id, 3)
        status = await batches.cancel(batch_id)
        assert (status.state, status.answered, status.unanswered) == (State.CANCELLED, 3, 3)
        with pytest.raises(BatchError, match="is not running: it is cancelled"):
            await batches.cancel(batch_id)
        assert server.keys("leanfleet:batch:*") == []
        assert await batches.rerun(batch_id) == 3


async def test_of_two_reruns_at_once_one_runs(settings: Settings, batches: Batches, server: redis.Redis) -> None:
    batch_id = (await batches.submit(texts(4, ("died",)))).id
    with worker(settings):
        await finished(batches, batch_id)
    async with Batches(settings) as one, Batches(settings) as two:
        ends = await asyncio.gather(one.rerun(batch_id), two.rerun(batch_id), return_exceptions=True)
    assert [type(end) for end in ends if not isinstance(end, int)] == [BatchError]
    assert 4 in ends
    assert server.llen(settings.queue) == 4


async def test_what_cannot_be_done_is_said(batches: Batches, settings: Settings) -> None:
    for name in ("abcdef", "no id at all", "../x", ""):
        for ask in (batches.status, batches.results, batches.rerun, batches.cancel):
            with pytest.raises(BatchError, match="there is no batch"):
                await ask(name)
    with pytest.raises(InvalidInputError, match="no proof to submit"):
        await batches.submit([])
    with pytest.raises(InvalidInputError, match="id 'p0' was used before"):
        await batches.submit(texts(1) * 2)
    with pytest.raises(InvalidInputError, match="text 1: Object missing required field `code`"):
        await batches.submit([{"id": "x"}])
    batch_id = (await batches.submit(texts(2))).id
    with pytest.raises(BatchError, match="still running"):
        await batches.rerun(batch_id)
    with pytest.raises(InvalidInputError, match="timeout_seconds"):
        await batches.rerun(batch_id, timeout_seconds=0)
    with worker(settings):
        await finished(batches, batch_id)
    with pytest.raises(BatchError, match="nothing to run again"):
        await batches.rerun(batch_id)
    async with Batches(Settings(broker_url=settings.broker_url)) as homeless:
        with pytest.raises(SettingsError, match="LEANFLEET_STORE_URL"):
            await homeless.all()


async def test_one_bad_line_enqueues_nothing_unless_it_may_be_skipped(
    folder_settings: Settings, server: redis.Redis, tmp_path: Path
) -> None:
    path = tmp_path / "proofs.jsonl"
    path.write_text('{"id": "a", "code": "theorem a : True := trivial"}\n{"id": "b"}\n')
    async with Batches(folder_settings) as batches:
        with pytest.raises(InvalidInputError, match=r"proofs\.jsonl:2: Object missing"):
            await batches.submit_files([path])
        assert server.llen(folder_settings.queue) == 0
        assert await batches.all() == []
        assert (await batches.submit_files([path], skip_invalid=True)).total == 1
