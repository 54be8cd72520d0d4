"""Batches on real workers, which are killed: each answer arrives, and counts once."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from producer.batch.batches import Batches
from producer.batch.snapshot import State
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tests.integration.batch.test_batches import answered
from tests.integration.worker.containers import PlainWorker
from tests.machines import ROOT, worker_environ
from tests.waiting import DEADLINE_SECONDS, until

pytestmark = pytest.mark.usefixtures("server")


@contextmanager
def worker(settings: Settings, folder: Path, name: str) -> Iterator[PlainWorker]:
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--loglevel=INFO", "-n", f"{name}@%h"]
    running = PlainWorker(
        name=name,
        command=command,
        log_path=folder / f"{name}.log",
        environ=worker_environ(settings.broker_url, settings.queue),
        root=ROOT,
    )
    running.start()
    try:
        running.wait_ready()
        yield running
    finally:
        running.kill()


async def test_a_killed_worker_costs_a_batch_no_answer(folder_settings: Settings, tmp_path: Path) -> None:
    # Some short ones for the first worker; the rest is long enough that it cannot be through before its end.
    texts = [{"id": f"p{n}", "code": f"%sleep {0.05 if n < 10 else 0.4}\n%say {n}"} for n in range(30)]
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit(texts)).id
        with worker(folder_settings, tmp_path, "first") as first:
            await answered(batches, batch_id, 5)
            first.kill()
            assert (await batches.status(batch_id)).answered < 30
        with worker(folder_settings, tmp_path, "second"):
            async with asyncio.timeout(DEADLINE_SECONDS):
                statuses = [status async for status in batches.watch(batch_id, every_seconds=0.1)]
        assert (statuses[-1].answered, statuses[-1].outcomes) == (30, {"ok": 30})
        results = await batches.results(batch_id)
        assert [result.id for result in results] == [f"p{n}" for n in range(30)]
        assert {result.worker.partition("@")[0] for result in results} == {"first", "second"}


async def test_what_a_cancelled_batch_has_not_begun_is_not_begun(
    folder_settings: Settings, tmp_path: Path, server: redis.Redis
) -> None:
    short = [{"id": f"p{n}", "code": f"%say {n}"} for n in range(2)]
    endless = [{"id": f"p{n}", "code": "%hang", "timeout_seconds": 1000} for n in range(2, 200)]
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit([*short, *endless])).id
        with worker(folder_settings, tmp_path, "only"):
            await answered(batches, batch_id, 2)
            status = await batches.cancel(batch_id)
            assert status.state is State.CANCELLED
            await until(lambda: server.llen(folder_settings.queue) == 0, "the queue is empty")
        after = await batches.status(batch_id)
        assert (after.answered, server.keys("leanfleet:batch:*")) == (status.answered, [])


async def test_what_a_cancelled_batch_has_begun_is_ended(
    folder_settings: Settings, tmp_path: Path, server: redis.Redis
) -> None:
    leases = QueueKeys.of(folder_settings.queue).leases
    async with Batches(folder_settings) as batches:
        batch_id = (await batches.submit([{"id": "p", "code": "%hang", "timeout_seconds": 1000}])).id
        with worker(folder_settings, tmp_path, "only"):
            await until(lambda: server.zcard(leases) == 1, "it runs")
            await batches.cancel(batch_id)
            await until(lambda: server.zcard(leases) == 0, "it is acknowledged")
