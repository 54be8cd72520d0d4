"""The machine image's install script, on a Debian 13 of Docker's."""

import json
from collections.abc import Iterator

import pytest

from tests.docker.conftest import build
from tests.docker.engine import docker

IMAGE = "leanfleet-test/machine"
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def machine(engine: None) -> Iterator[str]:  # noqa: ARG001 - or there is nothing to build with
    build("tests/docker/machine/Dockerfile", IMAGE)
    yield IMAGE
    docker("image", "rm", IMAGE)


def as_leanfleet(image: str, command: str) -> str:
    """What the unit's user sees, on a machine without any network."""
    home = ("env", "HOME=/var/lib/leanfleet", "sh", "-euc", command)
    return docker("run", "--rm", "--network=none", image, "runuser", "-u", "leanfleet", "--", *home)


def test_it_proves_something_without_fetching_or_building_anything(machine: str) -> None:
    before = as_leanfleet(machine, "cd ~/.cache/leanfleet && ls -1 core-*")
    assert "manifest.json" in before
    assert ".image" in before
    found = [
        json.loads(line) for line in as_leanfleet(machine, "/opt/leanfleet/bin/leanfleet doctor --json").splitlines()
    ]
    [lean] = [each for each in found if each["subject"] == "Lean"]
    assert lean["level"] == "fine"
    assert "proves True" in lean["found"]


def test_who_runs_lean_may_not_change_what_root_runs(machine: str) -> None:
    assert not as_leanfleet(machine, "find /opt/leanfleet -writable -not -type l | head -1")


def test_the_controller_of_either_cloud_is_there(machine: str) -> None:
    as_leanfleet(machine, "/opt/leanfleet/bin/python -c 'import boto3, google.auth, workers.scaling.service'")
