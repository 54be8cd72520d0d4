"""No REPL outlives its worker, whatever becomes of the worker, of the guard, or of both."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.pool.processes import exists, run, runs, start
from tests.waiting import until, wait_until
from workers.guard import Guard
from workers.testing.project import scripted_project


@dataclass(frozen=True, kw_only=True)
class Worker:
    process: "subprocess.Popen[bytes]"
    repls: tuple[int, ...]
    child: int
    guard: int

    @property
    def pids(self) -> tuple[int, ...]:
        return (*self.repls, self.child, self.guard)


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker process with busy and idle REPLs, one of which has a child of its own."""
    with subprocess.Popen(
        (sys.executable, "-m", "tests.integration.pool.holder"), stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        held = Worker(process=process, repls=tuple(said["repls"]), child=said["child"], guard=said["guard"])
        assert len(held.repls) == 3
        assert all(map(runs, held.pids))
        yield held
        process.kill()
    for pid in held.pids:
        if runs(pid):
            os.kill(pid, signal.SIGKILL)


def all_gone(worker: Worker) -> bool:
    return not any(map(runs, worker.pids))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_killed_leaves_nothing_behind(worker: Worker, number: signal.Signals) -> None:
    worker.process.send_signal(number)
    wait_until(lambda: all_gone(worker), "REPLs, their children and the guard are gone")


def test_nothing_is_left_when_the_workers_whole_group_is_killed(worker: Worker) -> None:
    os.killpg(worker.process.pid, signal.SIGKILL)
    wait_until(lambda: all_gone(worker), "REPLs, their children and the guard are gone")


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_without_its_guard_a_killed_worker_leaves_no_repl(worker: Worker) -> None:
    """Of a REPL's own children it may: the guard is what ends them."""
    os.kill(worker.guard, signal.SIGKILL)
    worker.process.kill()
    wait_until(lambda: not any(map(runs, worker.repls)), "the REPLs are gone")


def test_a_guard_is_not_ended_by_what_ends_a_terminals_programs(worker: Worker) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(worker.guard, number)
    worker.process.kill()
    wait_until(lambda: all_gone(worker), "the guard did its work")


async def test_a_guard_that_has_died_is_replaced_and_knows_the_repls_of_the_one_before() -> None:
    with Guard() as guard:
        async with start(scripted_project(), guard=guard) as before:
            child = int((await run(before, "%fork")).messages[0].data)
            assert guard.pid is not None
            os.kill(guard.pid, signal.SIGKILL)
            # Not reaped by anyone yet: the next start notices.
            first = guard.pid
            await until(lambda: not runs(first), "the first guard is dead")
            async with start(scripted_project(), guard=guard) as after:
                await run(after, "")
                assert guard.pid != first
                guard.close()  # as when the worker dies: what is registered is killed
                await before.wait_closed()
                await after.wait_closed()
            await until(lambda: not runs(child), "the child of the first REPL is gone")


async def test_a_guard_lets_go_of_a_repl_that_has_ended() -> None:
    """Its number may be someone else's by the time that the worker dies."""
    with Guard() as guard:
        async with start(scripted_project(), guard=guard) as process:
            await run(process, "")
            assert guard._groups == {process.pid}
        assert not guard._groups
        assert not exists(process.pid)
