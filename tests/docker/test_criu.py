"""Process images in a container that is not privileged, with what the documentation says that it needs."""

import json
import re
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.engine import DOCKER, docker, problem
from tests.needs import need

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "images-criu.md"
pytestmark = pytest.mark.timeout(1200)


def documented() -> list[str]:
    """The options of the page's `docker run`."""
    found = re.search(r"docker run ((?:.|\\\n)*?)leanfleet/worker-criu", PAGE.read_text(encoding="utf-8"))
    assert found is not None, f"{PAGE} does not say how the container is run"
    return shlex.split(found[1].replace("\\\n", " "))


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    need("docker", problem())
    mark = secrets.token_hex(4)
    worker, criu = f"leanfleet-test/worker:{mark}", f"leanfleet-test/worker-criu:{mark}"
    try:
        for arguments in (
            ("-f", "docker/Dockerfile", "--target", "worker", "-t", worker),
            ("-f", "docker/criu.Dockerfile", "--build-arg", f"WORKER={worker}", "-t", criu),
        ):
            command = (DOCKER, "build", *arguments, str(ROOT))
            done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=900)
            assert done.returncode == 0, done.stderr[-4000:]
        yield criu
    finally:
        for tag in (criu, worker):
            subprocess.run((DOCKER, "image", "rm", tag), check=False, capture_output=True, timeout=120)


def said(image: str, options: list[str], *command: str) -> str:
    return docker("run", "--rm", *options, image, *command)


def found(image: str, options: list[str]) -> dict[str, dict[str, str]]:
    """The doctor's findings."""
    lines = said(image, options, "leanfleet", "doctor", "--json").splitlines()
    return {finding["subject"]: finding for finding in map(json.loads, lines)}


def without(options: list[str], word: str) -> list[str]:
    """The same options but for one that takes a value."""
    place = options.index(word)
    return options[: place - 1] + options[place + 1 :]


def test_isolated_repls_are_frozen_and_thawed_with_what_is_documented(image: str) -> None:
    options = documented()
    assert "--privileged" not in options
    findings = found(image, options)
    assert "freezes a REPL" in findings["process images"]["found"], findings["process images"]
    for promise in ("private files", "other processes", "unprivileged user", "processes"):
        assert promise in findings["isolation of REPLs"]["found"]
    assert "isolation of REPLs lacks" not in findings


def test_an_image_is_built_in_a_container(image: str) -> None:
    options = [*documented(), "--env", "LEANFLEET_WORKER_BLOB_KEYS=a-secret-of-this-fleet"]
    output = said(image, options, "sh", "-c", "leanfleet image build && leanfleet image verify")
    assert "it fits this machine" in output


def test_workers_killed_while_isolated_repls_thaw_leave_no_process(image: str) -> None:
    options = [*documented(), "--volume", f"{ROOT / 'tests'}:/src/tests:ro", "--workdir", "/src"]
    storm = ("python", "-m", "tests.integration.images.storm", "5", "3", "isolated")
    assert "nothing left" in said(image, options, *storm)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("SYS_ADMIN", "CAP_SYS_ADMIN"),
        ("SYS_TIME", "CAP_SYS_TIME"),
        ("seccomp=unconfined", "seccomp=unconfined"),
        ("/run", "--tmpfs /run"),
    ],
)
def test_what_is_missing_is_named_and_repls_are_started_instead(image: str, word: str, reason: str) -> None:
    finding = found(image, without(documented(), word))["process images"]
    assert finding["found"] == "not used here"
    assert reason in finding["advice"]
