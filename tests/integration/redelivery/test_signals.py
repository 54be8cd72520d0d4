"""Whoever connects to Celery's signals in a worker is told of every task, also of those that had a shorter way."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import redis

from producer.client import Client
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.stack.process import LocalProcess
from tests.machines import worker_environ
from tests.waiting import DEADLINE_SECONDS, until

# What an operator's own module does: its Celery app is ours, and it watches.
_WATCHED = """
import sys
from celery import signals
from tasks.celery import app

def told(name):
    def tell(sender=None, **fields):
        sys.stderr.write(f"told of {name}: {getattr(sender, 'name', sender)}\\n")
    getattr(signals, name).connect(tell, weak=False)

for name in sys.argv[-1].removeprefix("--hostname=").partition("@")[0].split("-"):
    told(name)
"""


@pytest.fixture
def start_watched(settings: Settings, tmp_path: Path) -> Iterator[Callable[[str], LocalProcess]]:
    """Starts a worker by plain Celery, whose name says which signals are connected."""
    started: list[LocalProcess] = []

    def start(signals: str) -> LocalProcess:
        (tmp_path / "watched.py").write_text(_WATCHED)
        environ = worker_environ(settings.broker_url, settings.queue)
        worker = LocalProcess(
            name="a watched worker",
            command=[
                *(sys.executable, "-m", "celery", "-A", "watched", "worker"),
                *("--without-mingle", "--without-gossip", "--loglevel=INFO", f"--hostname={signals}@here"),
            ],
            log_path=tmp_path / "worker.log",
            environ={**environ, "PYTHONPATH": str(tmp_path)},
            directory=tmp_path,
        )
        started.append(worker)
        worker.start()
        worker.wait_until(lambda: " ready." in worker.log(), timeout_seconds=DEADLINE_SECONDS)
        return worker

    yield start
    for worker in started:
        worker.kill()


async def test_signals_of_success_failure_and_every_run_are_sent(
    settings: Settings, start_watched: Callable[[str], LocalProcess], nothing_left: Callable[[], bool]
) -> None:
    worker = start_watched("task_prerun-task_postrun-task_success-task_failure")
    async with Client(settings) as fleet:
        good, dead = await asyncio.gather(fleet.run_code("%say a"), fleet.run_code("%exit 3"))
        assert [message.data for message in good.messages] == ["a"]
        assert dead.outcome == "repl_died"
        await until(nothing_left, "each was acknowledged")
    task = "leanfleet.run_code"
    await until(lambda: f"told of task_success: {task}" in worker.log(), "its success is told")
    await until(lambda: f"told of task_failure: {task}" in worker.log(), "its failure is told")
    begun, ended = (partial(_told, worker, name, task) for name in ("task_prerun", "task_postrun"))
    await until(lambda: ended() == begun() >= 2, "the end of every run is told")
    assert "Traceback" not in worker.log()


def _told(worker: LocalProcess, name: str, task: str) -> int:
    return worker.log().count(f"told of {name}: {task}\n")


async def test_a_watched_worker_that_ends_hands_back_and_one_that_is_given_up_ends(
    settings: Settings,
    start_watched: Callable[[str], LocalProcess],
    broker: redis.Redis,
    keys: QueueKeys,
) -> None:
    worker = start_watched("task_success")
    async with Client(settings) as fleet:
        given_up = asyncio.ensure_future(fleet.run_code("%hang", timeout_seconds=1000))
        await until(lambda: broker.zcard(keys.leases) == 1, "it is at work")
        given_up.cancel()
        await until(lambda: not broker.exists(keys.leases, keys.leased), "it was acknowledged")
        call = asyncio.ensure_future(fleet.run_code("%hang", timeout_seconds=1000))
        await until(lambda: broker.zcard(keys.leases) == 1, "it is at work")
        worker.ask_to_end()
        await until(lambda: broker.llen(keys.queue) == 1, "it is back in the queue")
        assert not broker.exists(keys.leases, keys.leased)
        await until(lambda: not worker.running, "it ended")
        call.cancel()
    assert worker.exit_code == 0
    assert "Traceback" not in worker.log()
