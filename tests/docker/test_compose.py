"""The images and the compose file, built and run by a real Docker Engine."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import leanfleet
from producer.operation import RunCode
from tasks.stack.ports import free_ports
from tests.needs import need

ROOT = Path(__file__).parents[2]
PASSWORD = secrets.token_hex(8)
DOCKER = shutil.which("docker") or "/no/docker/here"


def docker(*arguments: str) -> str:
    return subprocess.run([DOCKER, *arguments], check=True, capture_output=True, text=True, timeout=60).stdout


def problem() -> str:
    """Why images cannot be built and run here; empty when they can."""
    for command in ([DOCKER, "info"], [DOCKER, "compose", "version"]):
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{' '.join(command)}: {error}"
        if done.returncode:
            return f"{' '.join(command)}: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
    return ""


class Compose:
    """One project of the compose file, under a name and on ports of its own."""

    def __init__(self) -> None:
        self.name = f"leanfleet-test-{secrets.token_hex(4)}"
        broker, store, flower = free_ports(3)
        self.broker_url = f"redis://:{PASSWORD}@127.0.0.1:{broker}/0"
        self._environ = {
            **os.environ,
            "BROKER_PASSWORD": PASSWORD,
            "STORE_ACCESS_KEY": "leanfleet",
            "STORE_SECRET_KEY": secrets.token_hex(8),
            "FLOWER_BASIC_AUTH": f"operator:{PASSWORD}",
            "BROKER_PORT": str(broker),
            "STORE_PORT": str(store),
            "FLOWER_PORT": str(flower),
        }

    def __call__(self, *arguments: str, timeout_seconds: float = 900) -> str:
        command = [DOCKER, "compose", "-p", self.name, "-f", str(ROOT / "docker" / "compose.yaml"), *arguments]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self._environ, timeout=timeout_seconds
        )
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def containers(self, service: str) -> list[str]:
        return self("ps", "--quiet", service).split()


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    need("docker", problem())
    compose = Compose()
    with contextlib.ExitStack() as stack:
        stack.callback(compose, "down", "--volumes", "--remove-orphans", "--timeout", "10")
        compose("up", "--detach", "--build", "--wait", "--scale", "worker=2")
        yield compose


@pytest.mark.timeout(1200)
def test_every_result_arrives_once_when_a_worker_container_is_killed(compose: Compose) -> None:
    settings = leanfleet.Settings(broker_url=compose.broker_url, resend_seconds=600)
    proofs = [RunCode(code=f"theorem t{n} (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩") for n in range(300)]
    victim = compose.containers("worker")[0]
    places: Counter[int] = Counter()

    async def run() -> list[leanfleet.Outcome]:
        outcomes = []
        async with leanfleet.connect(settings=settings) as fleet:
            async for done in fleet.stream(proofs):
                places[done.place] += 1
                outcomes.append(done.result.outcome)
                if len(outcomes) == 50:
                    await asyncio.to_thread(docker, "kill", victim)
        return outcomes

    outcomes = asyncio.run(run())
    assert Counter(outcomes) == {leanfleet.Outcome.OK: len(proofs)}
    assert set(places.values()) == {1}


def test_no_image_runs_as_root_or_with_capabilities(compose: Compose) -> None:
    for service in ("broker", "store", "worker", "flower"):
        container = compose.containers(service)[0]
        found = json.loads(docker("inspect", container))[0]
        assert found["Config"]["User"] == "leanfleet"
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        assert not found["HostConfig"]["Privileged"]


@pytest.mark.usefixtures("compose")
def test_no_secret_is_in_an_image() -> None:
    for service in ("worker", "broker", "store", "flower"):
        image = f"leanfleet/{service}"
        known = docker("history", "--no-trunc", image) + docker("inspect", image)
        assert PASSWORD not in known
        assert "BROKER_PASSWORD=" not in docker("inspect", image)
