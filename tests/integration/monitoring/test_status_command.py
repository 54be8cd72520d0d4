"""`leanfleet status` beside a real worker."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
import redis

from producer.client import Client
from producer.settings import Settings
from tasks.redelivery.dead import DeadLetter, bury
from tasks.stack.valkey import Valkey
from tests.integration.monitoring.conftest import StartMachine
from tests.machines import worker_environ
from tests.waiting import DEADLINE_SECONDS, until, wait_until

STATUS = (sys.executable, "-m", "leanfleet", "status")


def run(settings: Settings, *options: str) -> "subprocess.CompletedProcess[str]":
    environ = worker_environ(settings.broker_url, settings.queue)
    return subprocess.run([*STATUS, *options], env=environ, capture_output=True, text=True, timeout=120, check=False)


def seen(settings: Settings) -> dict[str, Any]:
    done = run(settings, "--json")
    assert not done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_working_fleet_is_shown_with_its_rates(
    start_machine: StartMachine, fleet: Client, settings: Settings, port: int
) -> None:
    await asyncio.to_thread(start_machine)
    for number in range(20):
        await fleet.run_code(f"%say {number}")
    await until(lambda: seen(settings)["outcomes"].get("ok") == 20, "it was reported")
    found = await asyncio.to_thread(seen, settings)
    assert found["states"] == {"warm": 1}
    assert found["repls"] == 2
    assert found["operations_per_second"] > 0
    assert list(found["rates"]) == ["run_code"]
    assert found["problems"] == []
    (worker,) = found["workers"]
    assert worker["metrics_url"] == f"http://127.0.0.1:{port}/metrics"
    shown = await asyncio.to_thread(run, settings)
    assert shown.returncode == 0
    assert "1 machines, 1 workers (1 warm), 2 REPLs" in shown.stdout
    assert "ok 20" in shown.stdout
    listed = await asyncio.to_thread(run, settings, "--targets")
    assert json.loads(listed.stdout) == [{"targets": [f"127.0.0.1:{port}"], "labels": {}}]


async def test_waiting_operations_without_a_worker_are_a_failure(
    fleet: Client, settings: Settings, valkey: Valkey
) -> None:
    with redis.Redis.from_url(valkey.url) as client, client.pipeline() as pipeline:
        bury(pipeline, settings.queue, DeadLetter(id="1a", at=0.0, reason="poison"))
        pipeline.execute()
        calls = [asyncio.ensure_future(fleet.run_code(f"#eval {number}")) for number in range(3)]
        await until(lambda: client.llen(settings.queue) == 3, "they are published")
    shown = await asyncio.to_thread(run, settings)
    assert shown.returncode == 1
    assert "3 waiting, the oldest for" in shown.stdout
    assert "! 3 operations wait and no worker takes work (none at all)" in shown.stdout
    assert "! 1 operations were given up: leanfleet dead list" in shown.stdout
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


def test_a_broker_that_is_away_is_said_in_one_line() -> None:
    done = run(Settings(broker_url="redis://127.0.0.1:1/0"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "redis://127.0.0.1:1/0 cannot be used" in done.stderr


def test_targets_stand_alone(settings: Settings) -> None:
    done = run(settings, "--targets", "--json")
    assert (done.returncode, "stands alone" in done.stderr) == (2, True)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
def test_watching_goes_on_until_ctrl_c(settings: Settings) -> None:
    master, slave = pty.openpty()
    environ = {**worker_environ(settings.broker_url, settings.queue), "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [*STATUS, "--watch", "--interval=0.2"], env=environ, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown = bytearray()

    def read() -> None:
        """All that it writes until its end: on a terminal that nobody reads it would stand still."""
        with contextlib.suppress(OSError):  # Linux's word for the end
            while data := os.read(master, 65536):
                shown.extend(data)

    reader = threading.Thread(target=read, name="terminal")
    reader.start()
    try:
        wait_until(lambda: shown.count(settings.queue.encode()) >= 3, "it looked three times")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert b"Traceback" not in shown
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(master)
