"""The images, built once a session, and a whole fleet of them."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.docker.engine import ROOT, Compose, docker, problem
from tests.needs import need


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


def build(file: str, target: str, tag: str, **arguments: str) -> None:
    """Build one target of a file in docker/."""
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    path = str(ROOT / "docker" / file)
    docker("build", "-q", "-f", path, "--target", target, "-t", tag, *given, str(ROOT), timeout_seconds=900)
