"""What `--help` says can be read on any terminal."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("group", ["", "batch", "dead", "image", "states", "broker"])
def test_no_summary_is_cut_off(group: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leanfleet", *([group] if group else []), "--help"],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    commands = done.stdout.partition("Commands:")[2].splitlines()
    assert len(commands) > 1
    assert [line for line in commands if line.endswith("...")] == []


def test_a_command_imports_nothing_for_the_others() -> None:
    code = """
import atexit, sys, leanfleet
sys.argv = ["leanfleet", "check", "--help"]
atexit.register(lambda: print({"tasks", "workers", "redis"} & set(sys.modules), file=sys.stderr))
leanfleet.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "Usage: " in done.stdout
    assert done.stderr == "set()\n"
