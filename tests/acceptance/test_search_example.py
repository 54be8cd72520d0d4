"""The tree-search example, as a newcomer runs it."""

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "best_first_search.py"


def test_what_cannot_be_searched_is_said_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--theorems=nowhere.jsonl"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "nowhere.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


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
