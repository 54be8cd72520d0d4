"""The training-loop example, as a newcomer runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from producer.settings import Settings
from tasks.stack.fleet import Fleet, FleetOptions
from tests.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "rollouts.py"


def test_rollouts_sample_proofs_and_say_how_busy_the_fleet_is() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--episodes=60", "--at-once=16", "-k=12"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line = re.search(r"60 episodes, (\d+) solved, \d+ operations/s, \d+ tactics/s, REPLs busy (\d+)%", done.stdout)
    assert line is not None, done.stdout
    assert 5 <= int(line[1]) <= 60, "chance finds some of these proofs"
    assert 0 < int(line[2]) <= 100


def repls(environ: dict[str, str]) -> int:
    command = [sys.executable, "-m", "leanfleet", "status", "--json"]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False).stdout
    return int(json.loads(said)["repls"])


def test_a_configured_fleet_says_itself_how_many_repls_it_has() -> None:
    with Fleet(Settings(), FleetOptions(machines=1, repls=1, s3=False, flower=False)) as fleet:
        environ = {**os.environ, **fleet.environ}
        # A worker says every five seconds what it has.
        wait_until(lambda: repls(environ) == 1, "the worker reports its REPL")
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), "--configured", "--episodes=20", "--at-once=8"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"20 episodes, .* REPLs busy \d+%", done.stdout), done.stdout


@pytest.mark.parametrize("wrong", ["-k=18", "--at-once=0", "--episodes=-1", "--depth=0"])
def test_numbers_that_make_no_rollouts_are_refused(wrong: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), wrong], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: argument {wrong.partition('=')[0]}: " in done.stderr


def test_a_broker_that_cannot_be_reached_is_said_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--configured"],
        env={**os.environ, "LEANFLEET_BROKER_URL": "redis://127.0.0.1:1/0", "LEANFLEET_CONNECT_ATTEMPTS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the broker at redis://127.0.0.1:1/0 cannot be used")
