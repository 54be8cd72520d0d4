"""The tree-search example, as a newcomer runs it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "best_first_search.py"


@pytest.mark.parametrize("name", ["nowhere.jsonl", "README.md"])
def test_what_cannot_be_searched_is_said_without_a_traceback(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), f"--theorems={EXAMPLE.parents[1] / name}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_search_and_its_fleet_without_a_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, str(EXAMPLE)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as search:
        try:
            assert search.stdout is not None
            assert "theorems" in search.stdout.readline()  # it is said once the fleet has started
            os.killpg(search.pid, signal.SIGINT)  # as a terminal does
            _, said = search.communicate(timeout=120)
        finally:
            search.kill()
    assert (search.returncode, said) == (130, "")


def test_best_first_search_finds_proofs_on_two_workers_and_checks_them_again() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--limit=40", "--at-least=30"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    proofs = re.search(r"(\d+) proofs checked again in command mode", done.stdout)
    assert proofs is not None
    assert int(proofs[1]) >= 30
    assert len(re.findall(r"^[a-z-]+: ", done.stdout, re.MULTILINE)) == int(proofs[1])
