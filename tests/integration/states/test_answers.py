"""Answers from memory, over a real Valkey."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from redis.asyncio import Redis

from producer.connection import open_redis
from producer.operation import AnyOperation, ExportState, ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.result import (
    AnyResult,
    ExportStateResult,
    ImportStateResult,
    Message,
    Restored,
    RunCodeResult,
    RunTacticsResult,
    TacticResult,
    Timing,
)
from producer.state import CommandStep, SorryStep, StateRef
from tasks.stack.ports import free_port
from tasks.stack.valkey import Valkey
from tests.waiting import DEADLINE_SECONDS
from workers import answers as module
from workers.answers import Answers

CODE = RunCode(code="theorem a : True := trivial")
HOLE = StateRef(steps=(CommandStep("theorem a : True := by sorry"), SorryStep(0)))
PROVED = RunCodeResult(
    outcome=Outcome.OK,
    messages=(Message(severity="info", data="fine"),),
    restored=Restored.REPLAY,
    timing=Timing(lean_seconds=1.0),
    project="p",
)


class Lean:
    """Stands for a worker's REPLs: counts, and answers when it is let."""

    def __init__(self, result: AnyResult = PROVED) -> None:
        self.result = result
        self.runs = 0
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> AnyResult:
        self.runs += 1
        self.started.set()
        await self.may_end.wait()
        return self.result


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.001)


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = open_redis(valkey.url)
    async for name in client.scan_iter("leanfleet:answer*"):
        await client.delete(name)
    async for name in client.scan_iter("leanfleet:doing:*"):
        await client.delete(name)
    yield client
    await client.aclose()


def answers(redis: Redis, **changes: object) -> Answers:
    options = {"ttl_seconds": 60.0, "max_answers": 100, "max_answer_bytes": 10_000, "project": "p", **changes}
    return Answers(redis, **options)  # type: ignore[arg-type]


async def test_an_answer_is_given_again_by_any_worker_and_says_so(redis: Redis) -> None:
    lean = Lean()
    assert await answers(redis).get_or_do(CODE, lean) == PROVED
    again = await answers(redis).get_or_do(CODE, lean)
    assert isinstance(again, RunCodeResult)
    assert lean.runs == 1
    assert again.cached
    assert (again.messages, again.outcome) == (PROVED.messages, PROVED.outcome)
    assert (again.timing, again.restored) == (Timing(), Restored.NOTHING)


async def test_limits_do_not_change_the_question_and_the_project_does(redis: Redis) -> None:
    lean = Lean()
    await answers(redis).get_or_do(CODE, lean)
    await answers(redis).get_or_do(msgspec.structs.replace(CODE, timeout_seconds=1.0), lean)
    assert lean.runs == 1
    await answers(redis, project="other").get_or_do(CODE, lean)
    await answers(redis).get_or_do(RunCode(code="theorem b : True := trivial"), lean)
    assert lean.runs == 3


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        (CODE, RunCodeResult(outcome=Outcome.TIMEOUT)),
        (CODE, RunCodeResult(outcome=Outcome.OUT_OF_MEMORY)),
        (CODE, RunCodeResult(outcome=Outcome.REPL_DIED)),
        (CODE, RunCodeResult(outcome=Outcome.STATE_UNAVAILABLE)),
        (
            RunTactics(state=HOLE, tactics=("simp", "skip")),
            RunTacticsResult(
                outcome=Outcome.OK,
                tactics=(TacticResult(outcome=Outcome.OK), TacticResult(outcome=Outcome.TIMEOUT)),
            ),
        ),
        (msgspec.structs.replace(CODE, fresh=True), PROVED),
        (ExportState(state=HOLE), ExportStateResult(outcome=Outcome.OK)),
        (ImportState(state=HOLE), ImportStateResult(outcome=Outcome.OK)),
    ],
)
async def test_what_may_end_otherwise_is_run_again(redis: Redis, operation: AnyOperation, result: AnyResult) -> None:
    lean = Lean(result)
    for _ in range(2):
        assert not (await answers(redis).get_or_do(operation, lean)).cached
    assert lean.runs == 2


async def test_tactics_and_errors_of_lean_are_remembered(redis: Redis) -> None:
    failed = TacticResult(outcome=Outcome.LEAN_ERROR, reason="no")
    lean = Lean(RunTacticsResult(outcome=Outcome.OK, tactics=(failed,)))
    operation = RunTactics(state=HOLE, tactics=("simp",))
    await answers(redis).get_or_do(operation, lean)
    again = await answers(redis).get_or_do(operation, lean)
    assert isinstance(again, RunTacticsResult)
    assert (lean.runs, again.tactics) == (1, (failed,))


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_same_operation_at_the_same_time_is_run_once(redis: Redis, workers: int) -> None:
    lean = Lean()
    lean.may_end.clear()
    first = answers(redis)
    second = first if workers == 1 else answers(redis)
    one = asyncio.create_task(first.get_or_do(CODE, lean))
    await lean.started.wait()
    others = [asyncio.create_task(second.get_or_do(CODE, lean)) for _ in range(5)]
    await until(lambda: second.waiting == 5)
    lean.may_end.set()
    assert not (await one).cached
    assert all(result.cached for result in await asyncio.gather(*others))
    assert lean.runs == 1


@pytest.mark.parametrize("workers", [1, 2])
async def test_one_that_is_cancelled_leaves_the_work_to_the_next(redis: Redis, workers: int) -> None:
    lean = Lean()
    lean.may_end.clear()
    first = answers(redis)
    second = first if workers == 1 else answers(redis)
    doomed = asyncio.create_task(first.get_or_do(CODE, lean))
    await lean.started.wait()
    other = asyncio.create_task(second.get_or_do(CODE, lean))
    await until(lambda: second.waiting == 1)
    doomed.cancel()
    lean.may_end.set()
    assert not (await other).cached
    assert lean.runs == 2


async def test_a_mark_whose_renewal_swallows_its_cancellation_holds_no_answer_back(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As redis-py does now and then: the work was done, and its answer never came."""
    monkeypatch.setattr(module, "DOING_SECONDS", 0.03)
    lean = Lean()
    lean.may_end.clear()
    renewing, renewed = asyncio.Event(), 0

    async def swallow(*_: object, **__: object) -> bool:
        nonlocal renewed
        renewed += 1
        renewing.set()
        if renewed == 1:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return True

    monkeypatch.setattr(redis, "pexpire", swallow)
    async with asyncio.timeout(DEADLINE_SECONDS):
        call = asyncio.create_task(answers(redis).get_or_do(CODE, lean))
        await renewing.wait()
        lean.may_end.set()
        assert await call == PROVED


async def test_a_worker_that_died_is_not_waited_for_long(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOING_SECONDS", 0.3)
    lean = Lean()
    dead = answers(redis)
    await dead._wait_for_answer(dead._key(CODE), "the token of a worker that died")
    assert not (await answers(redis).get_or_do(CODE, lean)).cached
    assert lean.runs == 1


async def test_no_more_answers_are_kept_than_allowed_and_none_for_ever(redis: Redis) -> None:
    memory = answers(redis, max_answers=3)
    for number in range(10):
        await memory.get_or_do(RunCode(code=f"-- {number}"), Lean())
    names = [name async for name in redis.scan_iter("leanfleet:answer:*")]
    assert len(names) == 3
    assert all([0 < await redis.pttl(name) <= 60_000 for name in names])
    latest = Lean()
    await memory.get_or_do(RunCode(code="-- 9"), latest)
    assert latest.runs == 0


async def test_a_long_answer_is_not_kept(redis: Redis) -> None:
    lean = Lean()
    memory = answers(redis, max_answer_bytes=20)
    await memory.get_or_do(CODE, lean)
    await memory.get_or_do(CODE, lean)
    assert lean.runs == 2


async def test_without_the_memory_everything_is_run() -> None:
    nowhere = open_redis(f"redis://127.0.0.1:{free_port()}")
    lean = Lean()
    memory = answers(nowhere)
    for _ in range(3):
        assert await memory.get_or_do(CODE, lean) == PROVED
    assert lean.runs == 3
    await nowhere.aclose()


@pytest.mark.parametrize(
    "stored", [b'{"kind": "run_code", "outcome": "splendid"}', b'{"kind": "run_code", "reason": "\xff"}', b""]
)
async def test_an_answer_of_another_version_or_none_at_all_is_ignored(redis: Redis, stored: bytes) -> None:
    memory = answers(redis)
    await memory.get_or_do(CODE, Lean())
    await redis.set("leanfleet:answer:" + memory._key(CODE), stored)
    lean = Lean()
    assert await memory.get_or_do(CODE, lean) == PROVED
    assert lean.runs == 1
