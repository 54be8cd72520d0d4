"""`leanfleet simulate` and `leanfleet autoscale` as one types them."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import pytest

from tasks.stack.ports import free_port
from tasks.stack.valkey import Valkey
from tests.waiting import wait_until

SMALL = """
description: small
operations: {run_code: {seconds: {distribution: constant, seconds: 1}}}
arrivals: [{type: burst, operations: 500}]
offers: [{name: spot, slots: 8, price_per_hour: 0.1}]
"""


def leanfleet(*arguments: str, directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "leanfleet", *arguments],
        cwd=directory,
        env=environ(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environ(**settings: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LEANFLEET_")}
    return {**ours, "COLUMNS": "100", **{f"LEANFLEET_{name}": value for name, value in settings.items()}}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


def test_a_scenario_of_ones_own_is_simulated_and_drawn(directory: Path) -> None:
    done = leanfleet("simulate", "small.yaml", "--compare", "--svg", "plots", directory=directory)
    assert done.returncode == 0, done.stderr
    for rule in ("leanfleet", "fixed fleet", "queue length", "CPU target"):
        assert rule in done.stdout
    assert (directory / "plots" / "small.svg").read_text().startswith("<svg")


def test_one_line_of_json_a_run(directory: Path) -> None:
    done = leanfleet("simulate", "small.yaml", "--json", "--seed", "7", directory=directory)
    [run] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (run["scenario"], run["seed"], run["rule"], run["unfinished"]) == ("small", 7, "leanfleet", 0)


def test_shipped_scenarios_are_listed(directory: Path) -> None:
    done = leanfleet("simulate", "--list", directory=directory)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "cold-start",
        "daily-rhythm",
        "heavy-tails",
        "no-capacity",
        "preemption-storm",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("simulate", "nowhere.yaml"), "no scenario 'nowhere.yaml'"),
        (("simulate", "small.yaml", "--json", "--markdown"), "exclude each other"),
        (("simulate", "small.yaml", "--svg", "/proc/nowhere"), "cannot write"),
        (("autoscale", "--log-level", "LOUD"), "--log-level must be"),
        (("autoscale",), "LEANFLEET_BROKER_URL"),
    ],
)
def test_a_mistake_is_answered_in_one_line(directory: Path, arguments: tuple[str, ...], says: str) -> None:
    done = leanfleet(*arguments, directory=directory)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[autoscale]\nprovider = 'aws'\n", "[[autoscale.offers]]"),
        ("[autoscale]\nprovider = 'moon'\n", "impossible setting"),
        ("[autoscale]\nlease_seconds = 5\n", "lease_seconds"),
        ("[policy]\nbusy_share = 2\n", "busy_share"),
        ("[policy]\nbusy_shrae = 1\n", "busy_shrae"),
        (
            "[autoscale]\nprovider = 'gcp'\n[[autoscale.offers]]\nname = 'a'\nslots = 1\nprice_per_hour = 1\n",
            "project and region",
        ),
    ],
)
def test_a_wrong_setting_is_named(directory: Path, valkey: Valkey, text: str, says: str) -> None:
    (directory / "leanfleet.toml").write_text(text)
    done = leanfleet(
        "autoscale", "--once", "--dry-run", directory=directory, BROKER_URL=valkey.url, AUTOSCALE_METRICS_PORT="0"
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_that_is_away_is_said_when_one_decision_is_asked_for(directory: Path) -> None:
    done = leanfleet("autoscale", "--once", directory=directory, BROKER_URL="redis://127.0.0.1:9/0")
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_metrics_port_is_said(directory: Path, valkey: Valkey) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = leanfleet("autoscale", directory=directory, BROKER_URL=valkey.url, AUTOSCALE_METRICS_PORT=port)
    assert done.returncode == 2
    assert "metrics_port" in done.stderr


def test_it_serves_metrics_until_sigterm(directory: Path, valkey: Valkey) -> None:
    port = free_port()
    settings = {
        "BROKER_URL": valkey.url,
        "QUEUE": f"scaling-{uuid.uuid4().hex[:8]}",
        "AUTOSCALE_METRICS_PORT": str(port),
        "AUTOSCALE_INTERVAL_SECONDS": "0.2",
    }
    log = directory / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "leanfleet", "autoscale"],
            cwd=directory,
            env=environ(**settings),
            stderr=file,
        ) as process,
    ):
        try:
            wait_until(lambda: "leanfleet_autoscale_leader 1.0" in metrics(port), "it leads and says so")
            assert "leanfleet_autoscale_wanted_machines 0.0" in metrics(port)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert "Traceback" not in log.read_text()


def metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
