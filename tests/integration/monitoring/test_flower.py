"""What a person sees in a real Flower."""

import asyncio
import base64
import importlib.util
import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from producer.client import Client
from producer.outcome import Outcome
from producer.settings import Settings
from tasks.stack.flower import Flower
from tasks.stack.ports import claim
from tasks.stack.process import LocalProcess
from tests.integration.monitoring.conftest import StartMachine
from tests.machines import worker_environ
from tests.needs import need
from tests.waiting import DEADLINE_SECONDS, until

CODE = "import Lean\nset_option maxHeartbeats 0\n\ntheorem named (n : Nat) : n = n := by\n" + "  skip\n" * 500 + "  rfl"


def fetch(url: str, credentials: str = "") -> bytes:
    request = urllib.request.Request(url)  # noqa: S310 - a loopback address
    if credentials:
        request.add_header("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
    with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310 - as above
        body: bytes = response.read()
    return body


@pytest.fixture(autouse=True)
def _flower_is_there() -> None:
    need("flower", "" if importlib.util.find_spec("flower") else "Flower is not installed")


async def test_operations_are_shown_by_kind_briefly_and_failures_as_failures(
    start_machine: StartMachine, fleet: Client, settings: Settings, tmp_path: Path
) -> None:
    environ = worker_environ(settings.broker_url, settings.queue) | {"FLOWER_UNAUTHENTICATED_API": "true"}
    flower = Flower(directory=tmp_path, environ=environ)
    try:
        flower.start()
        await asyncio.to_thread(start_machine, events=True, MACHINE_ID="i-0abc")
        await asyncio.to_thread(flower.wait_ready)

        def workers() -> Any:
            return json.loads(fetch(f"{flower.url}/api/workers?refresh=1"))

        await until(workers, "Flower knows the worker")
        await until(lambda: json.loads(fetch(f"{flower.url}/workers?json=1"))["data"], "and hears of events")
        assert list(workers()) == ["machine0@i-0abc"]
        assert (await fleet.run_code(CODE)).outcome is Outcome.OK
        assert (await fleet.run_code("%hang", timeout_seconds=0.2)).outcome is Outcome.TIMEOUT
        hole = (await fleet.run_code("theorem hole : True := sorry")).sorries[0].state
        assert hole is not None
        await fleet.run_tactics(hole, ["nonsense" * 100, "trivial"])
        await asyncio.to_thread(_by_celery, settings)

        def shown() -> list[dict[str, Any]]:
            return list(json.loads(fetch(f"{flower.url}/api/tasks")).values())

        await until(
            lambda: [each["state"] in ("SUCCESS", "FAILURE") for each in shown()] == [True] * 5, "all are shown"
        )
        found = sorted(shown(), key=lambda task: task["received"])
        assert [task["name"] for task in found] == [
            "leanfleet." + ("run_tactics" if n == 3 else "run_code") for n in range(5)
        ]
        assert [task["args"] for task in found[:3]] == [
            "theorem named (n : Nat) : n = n := by",
            "%hang",
            "theorem hole : True := sorry",
        ]
        assert found[3]["args"].endswith("… (+1)")
        assert found[4]["args"] == "theorem named (n : Nat) : n = n := by"
        assert re.fullmatch(r"'ok \d+ ms'", found[0]["result"])
        assert re.match(r"OperationFailedError\('timeout \d+ ms: no answer within ", found[1]["exception"])
        assert [task["state"] for task in found] == ["SUCCESS", "FAILURE", "SUCCESS", "SUCCESS", "SUCCESS"]
        for task in found:
            assert task["worker"] == "machine0@i-0abc"
            assert not task["kwargs"]
            assert len(task["args"]) + len(task["result"] or task["exception"]) < 300
        columns = re.findall(r'data-column="(\w+)"', fetch(f"{flower.url}/tasks").decode())
        assert columns[:4] == ["name", "args", "state", "result"]
    finally:
        flower.stop()


def _by_celery(settings: Settings) -> None:
    """A task through Celery's own API, as some other program sends it."""
    subprocess.run(
        [sys.executable, "-c", f"import tasks; tasks.run_code.delay({CODE!r}).get(timeout=120)"],
        env=worker_environ(settings.broker_url, settings.queue),
        timeout=180,
        check=True,
    )


async def test_beyond_this_computer_a_password_is_made_and_asked_for(settings: Settings, tmp_path: Path) -> None:
    port = claim(None, option="")
    environ = worker_environ(settings.broker_url, settings.queue)
    # Another way to write 127.0.0.1, which is not taken for it: a test should not listen everywhere.
    command = [sys.executable, "-m", "leanfleet", "flower", "--address=127.1", f"--port={port}"]
    flower = LocalProcess(name="flower", command=command, log_path=tmp_path / "log", environ=environ)
    url = f"http://127.0.0.1:{port}"
    try:
        flower.start()
        flower.wait_until(lambda: "Visit me at" in flower.log(), timeout_seconds=DEADLINE_SECONDS)
        said = re.search(r"beyond this computer: (\w+) / (\S+)", flower.log())
        assert said is not None
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(f"{url}/workers")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(f"{url}/workers", f"{said[1]}:wrong")
        assert b"Flower" in fetch(f"{url}/workers", f"{said[1]}:{said[2]}")
        assert fetch(f"{url}/healthcheck") == b"OK"
    finally:
        flower.stop()


@pytest.mark.parametrize(
    ("address", "words"),
    [("127.0.0.1", "Address already in use"), ("no-such-host.invalid", "not known|name resolution")],
)
def test_where_it_cannot_listen_it_says_so(address: str, words: str, settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "leanfleet", "flower", f"--address={address}", f"--port={port}"],
            env=worker_environ(settings.broker_url, settings.queue),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 2
    *_, last = done.stderr.splitlines()
    assert last.startswith(f"error: Flower cannot listen at port {port} of {address}: ")
    assert re.search(words, last)
    assert "Traceback" not in done.stderr
