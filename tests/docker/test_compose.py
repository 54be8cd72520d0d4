"""The images and the compose file, built and run by a real Docker Engine."""

import asyncio
import json
import os
import sys
from collections import Counter
from subprocess import run

import pytest

import leanfleet
from producer.operation import RunCode
from tests.docker.engine import PASSWORD, ROOT, Compose, docker
from tests.metrics import Scrape
from tests.waiting import wait_until

OWN = ("broker", "store", "worker", "controller", "flower")


@pytest.mark.timeout(1200)
def test_every_result_arrives_once_when_a_worker_container_is_killed(compose: Compose) -> None:
    settings = leanfleet.Settings(broker_url=compose.broker_url, resend_seconds=600)
    proofs = [RunCode(code=f"theorem t{n} (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩") for n in range(300)]
    victim = compose.containers("worker")[0]
    places: Counter[int] = Counter()

    async def check() -> list[leanfleet.Outcome]:
        outcomes = []
        async with leanfleet.connect(settings=settings) as fleet:
            async for done in fleet.stream(proofs):
                places[done.place] += 1
                outcomes.append(done.result.outcome)
                if len(outcomes) == 50:
                    await asyncio.to_thread(docker, "kill", victim)
        return outcomes

    outcomes = asyncio.run(check())
    assert Counter(outcomes) == {leanfleet.Outcome.OK: len(proofs)}
    assert set(places.values()) == {1}


def test_leanfleet_check_runs_against_it(compose: Compose) -> None:
    command = [sys.executable, "-m", "leanfleet", "check", str(ROOT / "examples" / "theorems.jsonl"), "--json"]
    # Outside of the checkout, where no leanfleet.toml says otherwise.
    done = run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **compose.producer_environ, "PYTHONPATH": str(ROOT)},
        cwd="/",
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 200
    assert {line["worker"].split("@")[1] for line in lines if line.get("worker")} <= {
        docker("inspect", "--format", "{{.Config.Hostname}}", each).strip() for each in compose.containers("worker")
    }


def test_the_controller_measures_what_it_may_not_change(compose: Compose) -> None:
    [controller] = compose.containers("controller")
    read = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9108/metrics', timeout=5).read().decode())"

    expected = len(compose.containers("worker"))

    def warm() -> float:
        text = docker("exec", controller, "python", "-c", read)
        return Scrape(text).value("leanfleet_autoscale_machines", state="warm")

    wait_until(lambda: warm() == expected, "it sees the workers")
    _wait_healthy(controller)


def _wait_healthy(container: str) -> None:
    """A busy machine is late for a check now and then."""
    look = ("inspect", "--format", "{{.State.Health.Status}}", container)
    wait_until(lambda: docker(*look).strip() == "healthy", "it is healthy")


def test_no_image_runs_as_root_or_with_capabilities(compose: Compose) -> None:
    for service in OWN:
        container = compose.containers(service)[0]
        found = json.loads(docker("inspect", container))[0]
        assert found["Config"]["User"] == "leanfleet"
        assert found["Config"]["Entrypoint"][0] == "tini"
        _wait_healthy(container)
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        assert not found["HostConfig"]["Privileged"]


@pytest.mark.usefixtures("compose")
def test_no_secret_is_in_an_image() -> None:
    for service in OWN:
        image = f"leanfleet/{service}"
        known = docker("history", "--no-trunc", image) + docker("inspect", image)
        assert PASSWORD not in known
        assert "BROKER_PASSWORD=" not in docker("inspect", image)


@pytest.mark.usefixtures("images")
def test_a_worker_that_starts_builds_nothing() -> None:
    look = "from pathlib import Path; print(*(p.suffix for p in Path.home().glob('.cache/leanfleet/core-*/**/*')))"
    found = Counter(docker("run", "--rm", "--network=none", "leanfleet/worker", "python", "-c", look).split())
    assert found[".olean"] > 5
    assert found[".image"] == 1
