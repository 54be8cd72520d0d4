"""The projects that these tests run against."""

import shlex
from pathlib import Path

import pytest

from producer.errors import UnsupportedPlatformError
from workers.project import LeanProject, embedded_project, repl_project
from workers.testing.project import scripted_pantograph, scripted_project


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "project" in metafunc.fixturenames:
        yours = ["yours"] if metafunc.config.getoption("--lean-repl") else []
        kinds = ["scripted", "scripted 4.9", "pantograph", "embedded", *yours]
        metafunc.parametrize("project", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> LeanProject:
    """Each REPL that can be run here: what holds for one must hold for all. `--lean-repl` names one more."""
    match request.param:
        case "scripted":
            return scripted_project()
        case "scripted 4.9":
            return scripted_project("--version", "4.9", is_line_buffered=True)
        case "pantograph":
            return scripted_pantograph()
        case "yours":
            option = request.config.getoption
            return repl_project(shlex.split(option("--lean-repl")), Path(option("--lean-project")))
    try:
        return embedded_project()
    except UnsupportedPlatformError as error:
        pytest.skip(f"no embedded Lean here: {error}")
