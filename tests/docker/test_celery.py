"""Smoke tests by pytest-celery: the images as Celery workers and broker, with nothing of Compose's."""

# pytest-celery has no types:
# mypy: disable-error-code="misc,import-untyped,no-any-return"

import asyncio
import secrets
from pathlib import Path

import pytest
from pytest_celery import CeleryTestBroker, CeleryTestWorker, CeleryWorkerContainer, RedisContainer
from pytest_docker_tools import container, fxtr, network

from producer.batch.batches import Batches
from producer.settings import Settings
from tests.waiting import wait_until

PASSWORD = secrets.token_hex(8)
HEALTHY_SECONDS = 90
PROOFS = 1500


class BrokerContainer(RedisContainer):
    """`leanfleet/broker`, reached from here by a port of the loopback interface."""

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@{self.hostname}:6379/0"

    @property
    def host_url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.ports['6379/tcp'][0]}/0"

    @property
    def ready_prompt(self) -> str:
        return "Ready to accept connections"


class WorkerContainer(CeleryWorkerContainer):
    """`leanfleet/worker` as it is; it is ready when its own health check says so."""

    @property
    def ready_prompt(self) -> None:
        return None

    def ready(self) -> bool:
        return super().ready() and self.attrs["State"]["Health"]["Status"] == "healthy"


@pytest.fixture(scope="module")
def broker_image(images: None) -> str:  # noqa: ARG001 - built before it is named
    return "leanfleet/broker"


@pytest.fixture(scope="module")
def worker_image(images: None) -> str:  # noqa: ARG001 - as above
    return "leanfleet/worker"


smoke_network = network(scope="module")
broker_container = container(
    image="{broker_image}",
    environment={"BROKER_PASSWORD": PASSWORD},
    ports={"6379/tcp": ("127.0.0.1", None)},
    network="{smoke_network.name}",
    wrapper_class=BrokerContainer,
    scope="module",
)


@pytest.fixture(scope="module")
def worker_environ(broker_container: BrokerContainer) -> dict[str, str]:
    return {"LEANFLEET_BROKER_URL": broker_container.url, "LEANFLEET_WORKER_SIZE": "1"}


first_container, second_container = (
    container(
        image="{worker_image}",
        environment=fxtr("worker_environ"),
        network="{smoke_network.name}",
        wrapper_class=WorkerContainer,
        timeout=HEALTHY_SECONDS,
        scope="module",
    )
    for _ in range(2)
)


@pytest.fixture(scope="module")
def broker(broker_container: BrokerContainer) -> CeleryTestBroker:
    return CeleryTestBroker(broker_container)


@pytest.fixture(scope="module")
def workers(first_container: WorkerContainer, second_container: WorkerContainer) -> list[CeleryTestWorker]:
    return [CeleryTestWorker(each, app=None) for each in (first_container, second_container)]


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
        async with asyncio.timeout(300):
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
    wait_until(lambda: last.reload() or last.status == "exited", "it has ended", 60)
    assert last.attrs["State"]["ExitCode"] == 0
