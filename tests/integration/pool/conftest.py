"""The projects that these tests run against."""

import pytest

from producer.errors import UnsupportedPlatformError
from workers.project import LeanProject, embedded_project
from workers.testing.project import scripted_pantograph, scripted_project


@pytest.fixture(scope="session", params=["scripted", "scripted 4.9", "pantograph", "embedded"])
def project(request: pytest.FixtureRequest) -> LeanProject:
    """Each REPL that can be run here: what holds for one must hold for all."""
    match request.param:
        case "scripted":
            return scripted_project()
        case "scripted 4.9":
            return scripted_project("--version", "4.9", is_line_buffered=True)
        case "pantograph":
            return scripted_pantograph()
    try:
        return embedded_project()
    except UnsupportedPlatformError as error:
        pytest.skip(f"no embedded Lean here: {error}")
