"""pytest-celery's fixtures, over processes on this computer."""

import sys
from collections.abc import Iterator

import pytest
import redis
from celery import Celery
from pytest_celery import (
    CeleryBackendCluster,
    CeleryBrokerCluster,
    CeleryTestBackend,
    CeleryTestBroker,
    CeleryTestWorker,
)

import tasks
from producer.settings import Settings
from tasks.config import make_config
from tasks.redelivery.settings import RedeliverySettings
from tasks.stack.valkey import Valkey
from tests.integration.worker.containers import PlainWorker, ProcessContainer, ValkeyContainer
from tests.machines import ROOT, worker_environ
from workers.settings import WorkerSettings

QUEUE = "leanfleet"


@pytest.fixture(scope="module")
def celery_broker(valkey: Valkey) -> CeleryTestBroker:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return CeleryTestBroker(ValkeyContainer(valkey))


@pytest.fixture(scope="module")
def celery_broker_cluster(celery_broker: CeleryTestBroker) -> CeleryBrokerCluster:
    return CeleryBrokerCluster(celery_broker)


@pytest.fixture(scope="module")
def celery_backend(celery_broker: CeleryTestBroker) -> CeleryTestBackend:
    return CeleryTestBackend(celery_broker.container)


@pytest.fixture(scope="module")
def celery_backend_cluster(celery_backend: CeleryTestBackend) -> CeleryBackendCluster:
    return CeleryBackendCluster(celery_backend)


@pytest.fixture(scope="module")
def celery_worker(
    valkey: Valkey,
    celery_broker: CeleryTestBroker,  # noqa: ARG001 - emptied before the worker connects
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CeleryTestWorker]:
    """One worker with two REPLs, for all tests of a module: none may leave it worse than it was."""
    worker = PlainWorker(
        name="celery worker",
        command=[sys.executable, "-m", "celery", "-A", "tasks", "worker", "--loglevel=INFO", "--without-mingle"],
        log_path=tmp_path_factory.mktemp("worker") / "log",
        environ=worker_environ(valkey.url, QUEUE),
        root=ROOT,
    )
    container = ProcessContainer(worker)
    worker.start()
    try:
        worker.wait_ready()
        yield CeleryTestWorker(container, celery_app(valkey))
    finally:
        container.teardown()


@pytest.fixture
def celery_setup_app(valkey: Valkey) -> Celery:
    return celery_app(valkey)


def celery_app(valkey: Valkey) -> Celery:
    """The project's own app, told where the broker is without the environment."""
    settings = Settings(broker_url=valkey.url, queue=QUEUE)
    with pytest.MonkeyPatch.context() as patch:
        # Read once a process, at the first look at the configuration; what is set afterwards wins.
        patch.setenv("LEANFLEET_BROKER_URL", valkey.url)
        tasks.app.conf.update(make_config(settings, WorkerSettings(), RedeliverySettings()))
        assert tasks.app.conf.task_default_queue == QUEUE
    return tasks.app
