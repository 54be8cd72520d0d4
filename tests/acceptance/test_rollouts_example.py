"""The training-loop example, as a newcomer runs it."""

import re
import subprocess
import sys
from pathlib import Path

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
