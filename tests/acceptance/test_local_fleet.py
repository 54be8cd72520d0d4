"""`leanfleet up` and `leanfleet demo` as a newcomer starts them: everything runs, and nothing is left."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from producer.client import Client
from producer.outcome import Outcome
from producer.settings import load_settings
from tasks.stack.ports import HOST
from tests.machines import is_gone, worker_environ
from tests.waiting import wait_until

LEANFLEET = (sys.executable, "-m", "leanfleet")


class Up:
    """`leanfleet up` in a session of its own, as under a terminal."""

    def __init__(self, folder: Path, *options: str) -> None:
        environ = worker_environ("", "acceptance")
        self.output, self.errors = folder / "stdout", folder / "stderr"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*LEANFLEET, "up", *options], stdout=output, stderr=errors, env=environ, start_new_session=True
            )

    def wait_running(self) -> None:
        wait_until(lambda: "Running" in self.errors.read_text(encoding="utf-8") or self.ended, "it runs")
        assert not self.ended, self.errors.read_text(encoding="utf-8")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def environ(self) -> dict[str, str]:
        lines = self.output.read_text(encoding="utf-8").splitlines()
        return dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> None:
        if not self.ended:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    fleet = Up(tmp_path, "--machines=2", f"--directory={tmp_path / 'fleet'}")
    try:
        fleet.wait_running()
        yield fleet
    finally:
        fleet.end()


async def test_a_fleet_works_and_is_gone_after_ctrl_c(up: Up) -> None:
    assert set(up.environ) >= {"LEANFLEET_BROKER_URL", "LEANFLEET_STORE_URL", "AWS_SECRET_ACCESS_KEY"}
    async with Client(load_settings(environ=up.environ)) as fleet:
        result = await fleet.run_code("theorem t : True := trivial")
    assert result.outcome is Outcome.OK
    processes = up.descendants()
    assert len(processes) >= 6
    listening = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # some live for a moment
            connections = process.net_connections()
            listening |= {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    assert listening == {HOST}
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(120) == 0
    wait_until(lambda: all(map(is_gone, processes)), "all of its processes are gone")


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_fleet_whose_command_is_killed_leaves_nothing(up: Up) -> None:
    processes = up.descendants()
    up.process.kill()
    wait_until(lambda: all(map(is_gone, processes)), "all of its processes are gone")


def _is_valkey(process: psutil.Process) -> bool:
    try:
        return process.name() == "valkey-server"
    except psutil.NoSuchProcess:  # some live for a moment
        return False


def test_a_part_that_ends_is_named_and_the_rest_is_stopped(up: Up) -> None:
    processes = up.descendants()
    (valkey,) = (process for process in processes if _is_valkey(process))
    valkey.kill()
    assert up.process.wait(120) == 2
    assert re.search(r"error: Valkey on port \d+ ended \(exit code -9\)", up.errors.read_text(encoding="utf-8"))
    wait_until(lambda: all(map(is_gone, processes)), "all of its processes are gone")


def test_a_port_in_use_is_said_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        fleet = Up(tmp_path, f"--broker-port={other.getsockname()[1]}")
        try:
            assert fleet.process.wait(120) == 2
        finally:
            fleet.end()
    errors = fleet.errors.read_text(encoding="utf-8")
    assert "is in use: stop what listens there, or choose another with --broker-port" in errors
    assert "Traceback" not in errors
