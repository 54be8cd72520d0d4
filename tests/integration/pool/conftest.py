"""The projects that these tests run against."""

import pytest

from producer.errors import UnsupportedPlatformError
from workers.project import LeanProject, embedded_project
from workers.testing.project import scripted_project


@pytest.fixture(scope="session", params=["scripted", "embedded"])
def project(request: pytest.FixtureRequest) -> LeanProject:
    """Each REPL that can be run here: what holds for one must hold for all."""
    if request.param == "scripted":
        return scripted_project()
    try:
        return embedded_project()
    except UnsupportedPlatformError as error:
        pytest.skip(f"no embedded Lean here: {error}")
