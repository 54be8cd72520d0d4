"""The images, built once a session, and fleets of them: Compose's, and pytest-celery's."""

# pytest-celery has no types:
# mypy: disable-error-code="misc,import-untyped"

import contextlib
from collections.abc import Iterator

import pytest
from pytest_celery import CeleryTestBroker, CeleryTestWorker
from pytest_docker_tools import container, fxtr, network

from tests.docker.containers import BrokerContainer, WorkerContainer
from tests.docker.engine import PASSWORD, ROOT, Compose, docker, problem
from tests.needs import need

HEALTHY_SECONDS = 180


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips where there is no engine, with the reason."""
    need("docker", problem())


@pytest.fixture(scope="session")
def images(engine: None) -> None:  # noqa: ARG001 - or there is nothing to build with
    Compose()("build")


@pytest.fixture(scope="module")
def compose(images: None) -> Iterator[Compose]:  # noqa: ARG001 - what is run
    compose = Compose()
    with contextlib.ExitStack() as stack:
        stack.callback(compose, "down", "--volumes", "--remove-orphans", "--timeout", "10")
        compose("up", "--detach", "--wait", "--scale", "worker=2")
        yield compose


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


def build(file: str, tag: str, *, target: str = "", **arguments: str) -> None:
    """Build an image of a file of the repository."""
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    if target:
        given += ["--target", target]
    docker("build", "--progress=plain", "-f", str(ROOT / file), "-t", tag, *given, str(ROOT), timeout_seconds=900)
