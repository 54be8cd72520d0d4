"""One REPL process: its limits hold, its end is certain, and no answer is ever taken for another's."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producer.errors import PoolClosedError, ReplDiedError, ReplOutOfMemoryError, ReplStartError, ReplTimeoutError
from tests.integration.pool.processes import LONG_SECONDS, SOON_SECONDS, exists, run, run_in_background, runs, start
from tests.waiting import until
from workers.guard import Guard
from workers.launch import Launch
from workers.process import AsyncLeanREPLProcess
from workers.protocol.community import CommunityAdapter
from workers.protocol.requests import Command
from workers.testing.project import scripted_project

MIB = 1024**2


@pytest.fixture
async def repl() -> AsyncIterator[AsyncLeanREPLProcess]:
    async with start(scripted_project()) as process:
        yield process
    assert not exists(process.pid)


async def fails(process: AsyncLeanREPLProcess, code: str, error: type[Exception], text: str, **limits: float) -> None:
    """The command ends with this error; then the process is reaped, and says so to whoever tries again."""
    limits.setdefault("timeout_seconds", LONG_SECONDS)
    with pytest.raises(error, match=text):
        await process.send(Command(code=code), **limits)  # type: ignore[arg-type]
    assert not process.is_alive
    async with asyncio.timeout(LONG_SECONDS):
        await process.wait_closed()
    assert not exists(process.pid)
    with pytest.raises(error, match=text):
        await process.send(Command(code=""), timeout_seconds=LONG_SECONDS)


async def test_requests_are_answered_one_after_the_other(repl: AsyncLeanREPLProcess) -> None:
    environment = None
    for number in range(20):
        response = await run(repl, f"%say {number}", environment)
        assert [message.data for message in response.messages] == [str(number)]
        environment = response.environment


async def test_a_reply_may_come_in_any_pieces(repl: AsyncLeanREPLProcess) -> None:
    assert (await run(repl, "%chunks 1\n%say → done")).messages[0].data == "→ done"


async def test_a_line_of_a_reply_may_be_longer_than_any_buffer(repl: AsyncLeanREPLProcess) -> None:
    assert len((await run(repl, "%big 900000")).messages[0].data) == 900_000


async def test_a_huge_request_and_a_huge_reply_do_not_block_each_other() -> None:
    """More than a pipe holds, both ways: who writes without reading would wait for ever."""
    async with start(scripted_project(), max_reply_bytes=20 * MIB) as process:
        response = await run(process, "%big 8000000\n" + "-- filler\n" * 800_000)
        assert len(response.messages[0].data) == 8_000_000


async def test_what_it_says_on_stderr_is_drained_and_its_end_is_kept(repl: AsyncLeanREPLProcess) -> None:
    await run(repl, "%stderr 5000000")
    await until(lambda: repl.stderr_tail.endswith("end"), "the end of stderr was read")
    assert len(repl.stderr_tail) <= 2000


async def test_a_request_that_takes_too_long_ends_the_process(repl: AsyncLeanREPLProcess) -> None:
    await fails(repl, "%hang", ReplTimeoutError, "0.3 s", timeout_seconds=SOON_SECONDS)


async def test_a_late_reply_is_never_taken_for_the_next_one(repl: AsyncLeanREPLProcess) -> None:
    late = f"%sleep {10 * SOON_SECONDS}\n%say late"
    await fails(repl, late, ReplTimeoutError, "no answer", timeout_seconds=SOON_SECONDS)


async def test_a_timeout_kills_the_children_of_the_repl_too(repl: AsyncLeanREPLProcess) -> None:
    child = int((await run(repl, "%fork")).messages[0].data)
    assert runs(child)
    await fails(repl, "%hang", ReplTimeoutError, "no answer", timeout_seconds=SOON_SECONDS)
    await until(lambda: not runs(child), "the child is gone")


async def test_a_repl_that_ends_takes_its_children_with_it(repl: AsyncLeanREPLProcess) -> None:
    """Also when one holds the output open, so that no end of it is ever read."""
    child = int((await run(repl, "%fork")).messages[0].data)
    await fails(repl, "%exit 0", ReplDiedError, "status 0")
    await until(lambda: not runs(child), "the child is gone")


async def test_a_request_that_takes_too_much_memory_ends_the_process(repl: AsyncLeanREPLProcess) -> None:
    await fails(repl, f"%allocate {200 * MIB}\n%hang", ReplOutOfMemoryError, "104,857,600", memory_bytes=100 * MIB)


async def test_memory_within_the_limit_is_not_held_against_it(repl: AsyncLeanREPLProcess) -> None:
    request = Command(code=f"%allocate {50 * MIB}\n%sleep {SOON_SECONDS}")
    await repl.send(request, timeout_seconds=LONG_SECONDS, memory_bytes=100 * MIB)
    assert repl.is_alive
    assert repl.used_bytes >= 50 * MIB


async def test_a_limit_of_the_kernels_stops_what_allocates_between_two_looks() -> None:
    launch = Launch(command=scripted_project().command, data_limit_bytes=200 * MIB)
    async with AsyncLeanREPLProcess(launch, CommunityAdapter()) as process:
        with pytest.raises(ReplDiedError, match="MemoryError"):
            await process.send(Command(code=f"%allocate {300 * MIB}"), timeout_seconds=LONG_SECONDS)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        pytest.param("%stderr 100\n%exit 3", r"(?s)status 3.*xxxend$", id="it exits, and said why"),
        pytest.param(f"%signal {signal.SIGABRT:d}", "SIGABRT", id="a stack overflow"),
        pytest.param(f"%signal {signal.SIGKILL:d}", "SIGKILL by another.*memory", id="the kernel's choice"),
        pytest.param("%junk Segmentation fault", "could not be read", id="junk instead of a reply"),
        pytest.param('%junk {"proofState": 0, "goals": []}', "could not be read", id="a reply to something else"),
        pytest.param("%junk {", "could not be read", id="half a reply"),
        pytest.param("%endless", "1,000,000 bytes", id="a reply without an end"),
        pytest.param("%big 2000000", "1,000,000 bytes", id="a reply over the limit"),
        pytest.param("%mute", "closed its output", id="it closes its output and lives on"),
    ],
)
async def test_a_repl_that_misbehaves_is_ended_and_the_reason_told(
    repl: AsyncLeanREPLProcess, code: str, text: str
) -> None:
    await fails(repl, code, ReplDiedError, text)


async def test_out_of_memory_in_leans_own_words_is_called_so() -> None:
    """As under a limit of the kernel's, which Lean reports and then exits."""
    launch = Launch(command=("/bin/sh", "-c", "echo 'INTERNAL PANIC: out of memory' >&2; exit 1"))
    async with AsyncLeanREPLProcess(launch, CommunityAdapter()) as process:
        with pytest.raises(ReplOutOfMemoryError, match="PANIC"):
            await process.send(Command(code=""), timeout_seconds=LONG_SECONDS)


async def test_an_answer_that_nobody_asked_for_ends_the_process(repl: AsyncLeanREPLProcess) -> None:
    """Lean code can write to the output itself: after a forged reply the true one would be taken for the next."""
    await run(repl, "%unasked")
    await until(lambda: not repl.is_alive, "the second reply was noticed")
    with pytest.raises(ReplDiedError, match="nobody asked"):
        await repl.send(Command(code=""), timeout_seconds=LONG_SECONDS)


async def test_an_answer_that_nobody_asked_for_is_not_the_next_ones(repl: AsyncLeanREPLProcess) -> None:
    """Where it comes while the next request runs, that request may get it, but never the one after it."""
    await run(repl, "%later")
    forged = await run(repl, "%say true")
    assert not forged.messages
    await until(lambda: not repl.is_alive, "the true reply was noticed")


async def test_a_command_that_does_not_exist_is_named() -> None:
    async with AsyncLeanREPLProcess(Launch(command=("no-such-repl",)), CommunityAdapter()) as process:
        with pytest.raises(ReplDiedError, match="cannot run no-such-repl: No such file"):
            await process.send(Command(code=""), timeout_seconds=LONG_SECONDS)


async def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    launch = Launch(command=scripted_project().command, directory=tmp_path / "nowhere")
    with pytest.raises(ReplStartError, match="nowhere"):
        AsyncLeanREPLProcess(launch, CommunityAdapter())


async def test_one_request_at_a_time(repl: AsyncLeanREPLProcess) -> None:
    task = await run_in_background(repl, "%hang")
    with pytest.raises(RuntimeError, match="one request at a time"):
        await repl.send(Command(code=""), timeout_seconds=LONG_SECONDS)
    repl.kill("enough")
    with pytest.raises(PoolClosedError, match="enough"):
        await task


async def test_a_repl_sees_no_secret_of_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with start(scripted_project()) as process:
        environment = json.loads((await run(process, "%environ")).messages[0].data)
        assert "PATH" in environment
        assert "AWS_SECRET_ACCESS_KEY" not in environment


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
async def test_a_repl_inherits_no_descriptor_of_its_worker() -> None:
    """Nor of another REPL: the guard's pipe and the pipes of others stay open as long as anyone holds them."""
    with Guard() as guard:
        async with start(scripted_project(), guard=guard) as first, start(scripted_project(), guard=guard) as second:
            for process in (first, second):
                await run(process, "")
                assert sorted(os.listdir(f"/proc/{process.pid}/fd")) == ["0", "1", "2"]  # noqa: PTH208 - strings do


# Cancellation.


async def test_a_process_whose_request_was_cancelled_is_good_again_when_the_reply_comes(
    repl: AsyncLeanREPLProcess,
) -> None:
    os.kill(repl.pid, signal.SIGSTOP)  # it answers when this test says so
    task = await run_in_background(repl, "%say the cancelled one's")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not repl.is_settled
    os.kill(repl.pid, signal.SIGCONT)
    assert await repl.settle(LONG_SECONDS)
    assert (await run(repl, "%say mine")).messages[0].data == "mine"


async def test_a_process_whose_request_was_cancelled_is_killed_when_no_reply_comes(
    repl: AsyncLeanREPLProcess,
) -> None:
    task = await run_in_background(repl, "%hang")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await repl.settle(SOON_SECONDS)
    await repl.wait_closed()
    assert not exists(repl.pid)


async def test_the_limits_of_a_cancelled_request_hold_while_its_reply_is_awaited(repl: AsyncLeanREPLProcess) -> None:
    task = await run_in_background(repl, f"%allocate {200 * MIB}\n%hang", memory_bytes=100 * MIB)
    task.cancel()
    assert not await repl.settle(LONG_SECONDS)
    assert isinstance(repl.error, ReplOutOfMemoryError)


async def test_settling_that_is_cancelled_itself_kills(repl: AsyncLeanREPLProcess) -> None:
    task = await run_in_background(repl, "%hang")
    task.cancel()
    settling = asyncio.create_task(repl.settle(LONG_SECONDS))
    await asyncio.sleep(0)
    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    assert not repl.is_alive


async def test_settling_without_anything_outstanding_is_no_wait(repl: AsyncLeanREPLProcess) -> None:
    await run(repl, "")
    assert await repl.settle(0.0)
