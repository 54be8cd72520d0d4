"""Ctrl-C while the command is still loading."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# In the place of the module that joins all commands: it is interrupted while it is imported.
INTERRUPTED = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
def main():
    print("went on", flush=True)
"""


def run(folder: Path, *, ignored: bool) -> subprocess.CompletedProcess[str]:
    (folder / "leanfleet.py").write_text(INTERRUPTED, encoding="utf-8")
    path = os.pathsep.join((str(folder), str(Path(__file__).parents[3])))
    return subprocess.run(
        [sys.executable, "-c", "from producer.console import main; main()"],
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("ignored", "code", "output"),
    [
        (False, 130, ""),
        (True, 0, "went on\n"),  # as by `nohup`, or in the background of a script
    ],
)
def test_ctrl_c_while_the_command_loads_ends_it_without_a_word(
    tmp_path: Path, ignored: bool, code: int, output: str
) -> None:
    done = run(tmp_path, ignored=ignored)
    assert (done.returncode, done.stdout, done.stderr) == (code, output, "")
