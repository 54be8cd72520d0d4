"""The real CRIU, or the reason why there is none; and the REPLs that are frozen here."""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from producer.errors import UnsupportedPlatformError
from tests.integration.images.cold import Freezer
from tests.needs import need
from workers.guard import Guard
from workers.images.criu import Criu, find_criu
from workers.images.errors import ImagesUnavailableError
from workers.project import LeanProject, embedded_project
from workers.testing.project import scripted_project


@pytest.fixture(scope="session")
def criu() -> Criu:
    try:
        return find_criu()
    except ImagesUnavailableError as error:
        need("criu", error.message)
        raise AssertionError from error  # `need` does not return


@pytest.fixture(scope="session", params=["scripted", "embedded"])
def project(request: pytest.FixtureRequest) -> LeanProject:
    if request.param == "scripted":
        return scripted_project()
    try:
        return embedded_project()
    except UnsupportedPlatformError as error:
        pytest.skip(f"no embedded Lean here: {error}")


@pytest.fixture
def scripted() -> LeanProject:
    return scripted_project()


@pytest.fixture
async def freezer(criu: Criu, project: LeanProject, tmp_path: Path) -> AsyncIterator[Freezer]:
    """Freezes and thaws; all that it has started is ended with it."""
    with Guard() as guard:
        async with Freezer(criu, project, guard, tmp_path) as freezer:
            yield freezer


@pytest.fixture
def descriptors() -> Iterator[None]:
    """As many descriptors are open after the test as before it."""
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0  # noqa: PTH208 - as counted below
    yield
    with contextlib.suppress(FileNotFoundError):
        assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208 - Path.iterdir holds one itself
