"""The warm pool on real processes: what callers get, what is replaced, and what is never lost."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from producer.errors import (
    HeaderError,
    InvalidTextError,
    PoolClosedError,
    ReplDiedError,
    ReplOutOfMemoryError,
    ReplStartError,
    ReplTimeoutError,
)
from tests.integration.pool.processes import LONG_SECONDS, SOON_SECONDS, exists
from tests.waiting import until
from workers.launch import Launch
from workers.pool import AsyncLeanREPLPool, Handle, WarmREPL
from workers.pool.assignment import Status
from workers.pool.starter import Starter
from workers.project import LeanProject
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse
from workers.settings import PoolSettings
from workers.testing.project import scripted_project

MIB = 1024**2


@asynccontextmanager
async def opened(project: LeanProject | None = None, **settings: object) -> AsyncIterator[AsyncLeanREPLPool]:
    """A pool of one REPL and no spare unless it is said; afterwards nothing of it is left."""
    defaults: dict[str, object] = {"size": 1, "spares": 0, "cancel_grace_seconds": LONG_SECONDS}
    pool = AsyncLeanREPLPool(project or scripted_project(), PoolSettings(**{**defaults, **settings}))  # type: ignore[arg-type]
    seen: set[int] = set()
    try:
        async with pool:
            yield pool
            seen = pids(pool)
    finally:
        assert not pool.snapshot().repls
        assert not pool._background
        assert not pool._waiters
        assert pool._guard.pid is None
        assert not any(map(exists, seen))


def pids(pool: AsyncLeanREPLPool) -> set[int]:
    return {repl.pid for repl in pool.snapshot().repls if repl.pid is not None}


async def say(repl: WarmREPL, code: str, **limits: float) -> CommandResponse:
    limits.setdefault("timeout_seconds", LONG_SECONDS)
    response = await repl.send(Command(code=code, environment=repl.environment), **limits)  # type: ignore[arg-type]
    assert isinstance(response, CommandResponse)
    return response


async def hold(pool: AsyncLeanREPLPool, release: asyncio.Event, header: str = "") -> None:
    async with pool.lease(header):
        await release.wait()


async def idle(pool: AsyncLeanREPLPool, number: int) -> None:
    await until(lambda: pool.snapshot().idle == number, f"{number} REPLs are idle")


# Leases.


async def test_a_lease_gives_a_repl_that_has_imported_the_header() -> None:
    async with opened() as pool, pool.lease("import Mathlib") as repl:
        assert repl.header == "import Mathlib"
        assert (await say(repl, "%say hello")).messages[0].data == "hello"


async def test_a_warm_repl_is_used_again() -> None:
    async with opened() as pool:
        used = set()
        for _ in range(5):
            async with pool.lease() as repl:
                await say(repl, "theorem a : 1 = 1 := rfl")
                used.add(repl.pid)
        assert len(used) == 1
        snapshot = pool.snapshot()
        assert (snapshot.leases, snapshot.warm_hits) == (5, 4)  # the first had to wait for the start


async def test_states_stay_with_the_repl_that_has_them_and_are_preferred() -> None:
    async with opened(size=2) as pool:
        await idle(pool, 2)
        async with pool.lease() as first, pool.lease() as second:
            first.states["mine"] = Handle("environment", 7)
            pid, other = first.pid, second.pid
        for _ in range(3):
            async with pool.lease(prefer=("unknown", "mine")) as repl:
                assert repl.pid == pid
                assert repl.states["mine"] == Handle("environment", 7)
        assert pool.snapshot().state_hits == 3
        async with pool.lease(prefer=("mine",)), pool.lease(prefer=("mine",)) as repl:
            assert repl.pid == other  # better another one than to wait
            assert "mine" not in repl.states


async def test_a_lease_that_is_over_gives_no_access() -> None:
    async with opened() as pool:
        async with pool.lease() as repl:
            pass
        with pytest.raises(RuntimeError, match="lease is over"):
            await say(repl, "")


async def test_headers_that_say_the_same_share_a_repl() -> None:
    async with opened() as pool:
        async with pool.lease("import Mathlib\nimport Aesop") as repl:
            pid = repl.pid
        async with pool.lease("  import  Mathlib;\n\nimport Aesop\n") as repl:
            assert repl.pid == pid


async def test_more_callers_than_repls_are_served_in_order() -> None:
    async with opened(size=2) as pool:
        order = []

        async def call(number: int) -> None:
            async with pool.lease() as repl:
                order.append(number)
                await say(repl, "")

        await asyncio.gather(*map(call, range(20)))
        assert order == list(range(20))


async def test_at_most_size_repls_work_at_a_time() -> None:
    async with opened(size=2, spares=2) as pool:
        await idle(pool, 4)
        most = 0

        async def call() -> None:
            nonlocal most
            async with pool.lease() as repl:
                most = max(most, pool.snapshot().busy)
                await say(repl, "")

        await asyncio.gather(*(call() for _ in range(20)))
        assert most == 2


# Headers.


async def test_a_second_header_gets_a_process_of_its_own() -> None:
    async with opened(spares=1) as pool:
        async with pool.lease() as repl:
            plain = repl.pid
        async with pool.lease("import Mathlib") as repl:
            assert repl.pid != plain


async def test_the_header_used_longest_ago_makes_room() -> None:
    async with opened(spares=1) as pool:
        for header in ("import Init", "import Std", "import Init", "import Lean"):
            async with pool.lease(header):
                pass
        await until(lambda: pool.snapshot().starting == 0, "all starts are over")
        assert {repl.header for repl in pool.snapshot().repls} == {"import Init", "import Lean"}


async def test_a_header_that_lean_cannot_import_is_leans_error_and_costs_no_warm_repl() -> None:
    async with opened() as pool:
        await pool.ready()
        before = pids(pool)
        for _ in range(3):
            with pytest.raises(HeaderError, match="unknown module prefix 'Mathlb'"):
                async with pool.lease("import Mathlb"):
                    pass
        assert pids(pool) == before
        assert pool.snapshot().ended == {"header_failed": 1}  # and it was tried only once


async def test_all_who_wait_for_a_bad_header_hear_of_it() -> None:
    async with opened() as pool:
        answers = await asyncio.gather(
            *(pool.lease("import Mathlb").__aenter__() for _ in range(5)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [HeaderError] * 5


async def test_headers_in_turn_are_all_served_by_a_pool_of_one() -> None:
    """The stream of callers for one header does not starve those for another."""
    async with opened() as pool:
        await pool.ready()
        served = []

        async def call(header: str) -> None:
            async with pool.lease(header) as repl:
                await say(repl, "")
                served.append(header)

        async with asyncio.timeout(LONG_SECONDS):
            await asyncio.gather(*(call(header) for header in ["", "import Mathlib", "", "import Lean", ""] * 3))
        assert len(served) == 15


# Death and replacement.


@pytest.mark.parametrize(
    ("code", "limits", "error", "reason"),
    [
        ("%hang", {"timeout_seconds": SOON_SECONDS}, ReplTimeoutError, "timeout"),
        (f"%allocate {200 * MIB}\n%hang", {"memory_bytes": 100 * MIB}, ReplOutOfMemoryError, "out_of_memory"),
        ("%exit 3", {}, ReplDiedError, "died"),
        ("%junk", {"timeout_seconds": SOON_SECONDS}, ReplTimeoutError, "timeout"),
    ],
)
async def test_a_repl_that_was_killed_is_replaced_and_a_spare_serves_meanwhile(
    code: str, limits: dict[str, float], error: type[Exception], reason: str
) -> None:
    async with opened(scripted_project("--import-seconds", "0.2"), spares=1) as pool:
        await idle(pool, 2)
        async with pool.lease() as repl:
            dead = repl.pid
            with pytest.raises(error):
                await say(repl, code, **limits)
        async with pool.lease() as repl:
            assert repl.pid != dead
            await say(repl, "")
        assert pool.snapshot().warm_hits == 2  # neither waited for a start
        assert pool.snapshot().ended == {reason: 1}
        await idle(pool, 2)
        await until(lambda: not exists(dead), "the dead one is reaped")


async def test_an_idle_repl_that_dies_is_replaced_without_anyone_asking() -> None:
    async with opened() as pool:
        async with pool.lease() as repl:
            pid = repl.pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pids(pool) - {pid} and pool.snapshot().idle == 1, "another one is idle")
        async with pool.lease() as repl:
            await say(repl, "")


async def test_a_repl_is_recycled_by_use() -> None:
    async with opened(recycle_uses=10) as pool:
        used = []
        for _ in range(40):
            async with pool.lease() as repl:
                used.append(repl.pid)
        assert len(set(used)) >= 4
        assert max(map(used.count, used)) <= 10
        assert set(pool.snapshot().ended) == {"uses"}


async def test_a_repl_is_recycled_by_memory_when_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.pool.member.MEMORY_CHECK_SECONDS", 0.0)
    async with opened(recycle_memory_bytes=100 * MIB) as pool:
        async with pool.lease() as repl:
            pid = repl.pid
            await say(repl, f"%allocate {200 * MIB}")
            await say(repl, "")  # still there: only an idle one is recycled
        async with pool.lease() as repl:
            assert repl.pid != pid
        assert pool.snapshot().ended == {"memory": 1}


async def test_a_repl_is_recycled_by_age() -> None:
    async with opened(recycle_age_seconds=0.001) as pool:
        async with pool.lease() as repl:
            pid = repl.pid
        async with pool.lease() as repl:
            assert repl.pid != pid
        assert pool.snapshot().ended["age"] >= 1


# Starts that fail.


async def test_a_caller_gets_the_reason_when_no_repl_comes_up() -> None:
    project = replace(scripted_project(), command=("no-such-repl",))
    async with opened(project, start_patience_seconds=SOON_SECONDS) as pool:
        with pytest.raises(ReplStartError, match="cannot run no-such-repl"):
            async with pool.lease():
                pass


async def test_callers_go_on_when_repls_come_up_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    project = scripted_project("--fail-starts", str(broken))
    async with opened(project, start_patience_seconds=LONG_SECONDS, backoff_most_seconds=0.5) as pool:
        call = asyncio.create_task(pool.ready())
        await until(lambda: pool.snapshot().start_failures >= 2, "it has failed twice")
        broken.unlink()
        await call
        assert pool.snapshot().starts == 1
        assert not pool._headers.are_failing  # the next failure is the first in a row again
    assert "told to fail" in caplog.text


async def test_a_caller_is_not_given_up_while_a_repl_of_its_header_is_at_work(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    project = scripted_project("--fail-starts", str(broken))
    async with opened(project, size=2, start_patience_seconds=0.01, backoff_most_seconds=0.02) as pool:
        await idle(pool, 2)
        async with pool.lease(), pool.lease() as doomed:
            broken.touch()
            with pytest.raises(ReplDiedError):
                await say(doomed, "%exit 1")
            # From here on one works, and the other cannot be replaced.
            caller = asyncio.create_task(pool.ready())
            await until(lambda: pool.snapshot().waiting == 1, "one is waiting")
        await caller
        async with pool.lease():
            caller = asyncio.create_task(pool.ready())
            failures = pool.snapshot().start_failures
            await until(lambda: pool.snapshot().start_failures >= failures + 3, "starts go on failing")
            assert not caller.done()
        await caller


async def test_a_repl_that_dies_before_anyone_has_used_it_is_a_start_that_failed() -> None:
    """Else one that dies as soon as it is up would be started again and again without a pause."""
    async with opened(backoff_first_seconds=3600.0, backoff_most_seconds=3600.0) as pool:
        await idle(pool, 1)
        os.kill(pids(pool).pop(), signal.SIGKILL)
        await until(lambda: pool.snapshot().start_failures == 1, "it is counted")
        assert pool.snapshot().starting == 0


async def test_starts_that_fail_are_not_tried_without_a_pause(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    project = scripted_project("--fail-starts", str(broken))
    async with opened(project, backoff_first_seconds=3600.0, backoff_most_seconds=3600.0) as pool:
        await until(lambda: pool.snapshot().start_failures == 1, "it has failed once")
        assert pool.snapshot().starting == 0
        assert pool._timer is not None


async def test_a_header_whose_import_kills_does_not_hold_up_the_others() -> None:
    async with opened(size=2, start_patience_seconds=SOON_SECONDS) as pool:
        with pytest.raises(ReplStartError, match="failed to map Die"):
            async with pool.lease("import Die"):
                pass
        async with pool.lease() as repl:
            await say(repl, "")


async def test_a_header_that_no_repl_can_be_asked_to_import_is_refused_and_bricks_nothing() -> None:
    async with opened() as pool:
        for _ in range(3):
            with pytest.raises(InvalidTextError, match="U\\+0000"):
                async with asyncio.timeout(LONG_SECONDS), pool.lease("import \0"):
                    pass
        async with pool.lease() as repl:
            await say(repl, "")


async def test_a_start_that_fails_in_a_way_nobody_foresaw_is_told_to_all_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("as never before")

    monkeypatch.setattr(Starter, "bring_up", broken)
    async with opened(start_patience_seconds=SOON_SECONDS) as pool:
        with pytest.raises(ReplStartError, match="as never before"):
            async with asyncio.timeout(LONG_SECONDS), pool.lease("import Odd"):
                pass


async def test_an_import_that_hangs_is_ended() -> None:
    async with opened(start_timeout_seconds=1.0, start_patience_seconds=SOON_SECONDS) as pool:
        with pytest.raises(ReplStartError, match="no answer within 1 s"):
            async with pool.lease("import Hang"):
                pass


# Cancellation.


async def test_a_caller_that_is_cancelled_while_it_waits_leaves_its_place_to_the_next() -> None:
    async with opened() as pool:
        release = asyncio.Event()
        holder = asyncio.create_task(hold(pool, release))
        await until(lambda: pool.snapshot().busy == 1, "the only REPL is taken")
        first, second = (asyncio.create_task(pool.ready()) for _ in range(2))
        await until(lambda: pool.snapshot().waiting == 2, "two are waiting")
        first.cancel()
        release.set()
        await asyncio.gather(holder, second)
        assert first.cancelled()


async def test_a_caller_that_is_cancelled_as_it_is_granted_a_repl_gives_it_to_the_next() -> None:
    async with opened() as pool:
        release = asyncio.Event()
        async with pool.lease():
            granted, following = (asyncio.create_task(pool.ready()) for _ in range(2))
            await until(lambda: pool.snapshot().waiting == 2, "two are waiting")
        # The lease is over and the grant is made, but the task has not run since.
        granted.cancel()
        release.set()
        await following
        assert granted.cancelled()
        await idle(pool, 1)


async def test_a_caller_that_is_cancelled_while_its_header_is_imported_leaves_the_repl_to_others() -> None:
    async with opened(scripted_project("--import-seconds", "0.2")) as pool:
        call = asyncio.create_task(pool.ready())
        await until(lambda: pool.snapshot().starting == 1, "it is starting")
        await asyncio.sleep(0)
        call.cancel()
        await idle(pool, 1)
        assert pool.snapshot().ended == {}


async def test_a_cancelled_request_that_is_answered_soon_costs_no_repl() -> None:
    async with opened() as pool:
        await pool.ready()
        before = pids(pool)
        (pid,) = before
        os.kill(pid, signal.SIGSTOP)  # "soon" is when this test says so
        call = asyncio.create_task(run_one(pool, "%say the cancelled one's"))
        await until(lambda: pool.snapshot().busy == 1, "it is at work")
        await asyncio.sleep(0)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        assert pool.snapshot().busy == 1  # until its reply has come
        os.kill(pid, signal.SIGCONT)
        assert await run_one(pool, "%say mine") == "mine"
        assert pids(pool) == before


async def test_a_cancelled_request_that_is_not_answered_soon_costs_its_repl() -> None:
    async with opened(cancel_grace_seconds=SOON_SECONDS) as pool:
        await pool.ready()
        before = pids(pool)
        call = asyncio.create_task(run_one(pool, "%hang"))
        await until(lambda: pool.snapshot().busy == 1, "it is at work")
        await asyncio.sleep(0)
        call.cancel()
        assert await run_one(pool, "%say mine") == "mine"
        assert call.cancelled()
        assert not pids(pool) & before
        assert pool.snapshot().ended == {"cancelled": 1}


async def run_one(pool: AsyncLeanREPLPool, code: str) -> str:
    async with pool.lease() as repl:
        response = await say(repl, code)
    return response.messages[0].data


async def test_no_caller_is_lost_when_many_are_cancelled_at_any_moment() -> None:
    async with opened(size=2, spares=1) as pool:
        await pool.ready()
        calls = [asyncio.create_task(run_one(pool, f"%sleep 0.00{n % 10}\n%say {n}")) for n in range(200)]
        for number, call in enumerate(calls):
            if number % 3 == 0:
                asyncio.get_running_loop().call_later(number / 1000, call.cancel)
        async with asyncio.timeout(LONG_SECONDS):
            answers = await asyncio.gather(*calls, return_exceptions=True)
        for number, answer in enumerate(answers):
            assert answer == str(number) or (number % 3 == 0 and isinstance(answer, asyncio.CancelledError))
        await idle(pool, 3)


# Closing.


async def test_closing_waits_for_leases_and_takes_no_more() -> None:
    async with opened() as pool:
        release = asyncio.Event()
        holder = asyncio.create_task(hold(pool, release))
        await until(lambda: pool.snapshot().busy == 1, "the only REPL is taken")
        waiting = asyncio.create_task(pool.ready())
        await until(lambda: pool.snapshot().waiting == 1, "one is waiting")
        closing = asyncio.create_task(pool.close())
        with pytest.raises(PoolClosedError):
            await waiting
        with pytest.raises(PoolClosedError):
            await pool.ready()
        assert pool.snapshot().busy == 1
        assert not closing.done()
        release.set()
        await closing
        await holder


async def test_closing_kills_what_is_not_given_back_in_time() -> None:
    async with opened() as pool:
        call = asyncio.create_task(run_one(pool, "%hang"))
        await until(lambda: pool.snapshot().busy == 1, "it is at work")
        await asyncio.sleep(0)
        await pool.close(timeout_seconds=SOON_SECONDS)
        with pytest.raises(PoolClosedError, match="pool was closed"):
            await call


async def test_closing_that_is_cancelled_closes_by_force() -> None:
    async with opened() as pool:
        call = asyncio.create_task(run_one(pool, "%hang"))
        await until(lambda: pool.snapshot().busy == 1, "it is at work")
        pid = pids(pool).pop()
        closing = asyncio.create_task(pool.close(timeout_seconds=LONG_SECONDS))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(PoolClosedError):
            await call
        assert not exists(pid)


async def test_closing_ends_repls_that_are_just_starting() -> None:
    async with opened(scripted_project("--import-seconds", "3600"), size=2) as pool:
        await until(lambda: len(pids(pool)) == 2, "two processes exist")
        assert pool.snapshot().starting == 2
        started = pids(pool)
        await pool.close()
        assert not any(map(exists, started))


async def test_an_error_in_the_body_closes_by_force() -> None:
    calls = []

    async def body() -> None:
        async with opened(close_timeout_seconds=3600.0) as pool:
            calls.append(asyncio.create_task(run_one(pool, "%hang")))
            await until(lambda: pool.snapshot().busy == 1, "it is at work")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    with pytest.raises(PoolClosedError):
        await calls[0]


# Seeing it.


async def test_its_repr_says_what_it_is_doing() -> None:
    pool = AsyncLeanREPLPool(scripted_project("--import-seconds", "0.2"), PoolSettings(size=2, spares=1))
    assert repr(pool) == "<AsyncLeanREPLPool of 2: 0 busy, 0 idle, 0 starting (new)>"
    async with pool:
        assert repr(pool) == "<AsyncLeanREPLPool of 2: 0 busy, 0 idle, 3 starting>"
        await idle(pool, 3)
        async with pool.lease(), pool.lease():
            waiting = asyncio.create_task(pool.ready())
            await until(lambda: pool.snapshot().waiting == 1, "one is waiting")
            assert repr(pool) == "<AsyncLeanREPLPool of 2: 2 busy, 1 idle, 0 starting; 1 waiting>"
        await waiting
    assert repr(pool) == "<AsyncLeanREPLPool of 2: 0 busy, 0 idle, 0 starting (closed)>"


async def test_a_snapshot_describes_each_repl() -> None:
    async with opened() as pool, pool.lease("import Lean") as repl:
        repl.states["s"] = Handle("proof_state", 1)
        status = next(status for status in pool.snapshot().repls if status.pid == repl.pid)
        assert (status.status, status.header) == (Status.BUSY, "import Lean")
        assert (status.uses, status.states) == (1, 1)


# Isolation.


async def test_isolation_wraps_each_repl_and_is_undone_after_each(tmp_path: Path) -> None:
    folders: list[Path] = []

    @contextmanager
    def isolate(launch: Launch) -> Iterator[Launch]:
        folder = tmp_path / str(len(folders))
        folder.mkdir()
        folders.append(folder)
        yield replace(launch, command=("env", "ISOLATED=yes", *launch.command), folder=folder)
        folder.rmdir()

    pool = AsyncLeanREPLPool(scripted_project(), PoolSettings(size=1, spares=0), isolation=isolate)
    async with pool:
        async with pool.lease() as repl:
            assert repl.folder == folders[0]
            assert '"ISOLATED": "yes"' in (await say(repl, "%environ")).messages[0].data
            with pytest.raises(ReplDiedError):
                await say(repl, "%exit 1")
        async with pool.lease() as repl:
            assert repl.folder == folders[1]
        await until(lambda: not folders[0].exists(), "the folder of the dead one is gone")
        assert folders[1].exists()
    assert not any(folder.exists() for folder in folders)


async def test_isolation_that_fails_is_a_start_that_fails() -> None:
    def refuse(launch: Launch) -> AbstractContextManager[Launch]:
        raise PermissionError(f"no namespaces for {launch.command[0]}")

    settings = PoolSettings(size=1, spares=0, start_patience_seconds=SOON_SECONDS)
    async with AsyncLeanREPLPool(scripted_project(), settings, isolation=refuse) as pool:
        with pytest.raises(ReplStartError, match="no namespaces"):
            await pool.ready()


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="leanfleet")
