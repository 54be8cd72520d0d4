"""Smoke tests by pytest-celery: the images as Celery workers and broker, with nothing of Compose's."""

import asyncio
from pathlib import Path

import pytest
from pytest_celery import CeleryTestBroker, CeleryTestWorker

from producer.batch.batches import Batches
from producer.settings import Settings
from tests.waiting import wait_until

PROOFS = 1500


@pytest.mark.timeout(1200)
async def test_every_result_of_a_batch_arrives_once_when_a_worker_container_is_killed(
    broker: CeleryTestBroker, workers: list[CeleryTestWorker], tmp_path: Path
) -> None:
    # Nothing is sent again by the producer: what is lost stays lost.
    store = (tmp_path / "store").as_uri()
    settings = Settings(broker_url=broker.container.host_url, store_url=store, resend_seconds=3600)
    proofs = [
        {"id": f"p{n}", "code": f"theorem t{n} (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩"} for n in range(PROOFS)
    ]
    async with Batches(settings) as batches:
        batch_id = (await batches.submit(proofs)).id
        async for status in batches.watch(batch_id, every_seconds=0.05):
            if status.answered >= PROOFS // 20:
                break
        workers[0].kill()
        assert (await batches.status(batch_id)).answered < PROOFS
        async with asyncio.timeout(900):
            statuses = [status async for status in batches.watch(batch_id, every_seconds=0.2)]
        assert (statuses[-1].answered, statuses[-1].outcomes) == (PROOFS, {"ok": PROOFS})
        results = await batches.results(batch_id)
    assert [result.id for result in results] == [f"p{n}" for n in range(PROOFS)]
    names = {each.container.attrs["Config"]["Hostname"] for each in workers}
    assert {result.worker.rpartition("@")[2] for result in results} == names


def test_a_worker_container_that_is_stopped_ends_in_good_order(workers: list[CeleryTestWorker]) -> None:
    """SIGTERM reaches the worker through tini, which hands its work back and withdraws."""
    last = workers[1].container
    last.kill("SIGTERM")
    wait_until(lambda: last.reload() or last.status == "exited", "it has ended")
    assert last.attrs["State"]["ExitCode"] == 0
