"""Ending what a script has started in the background."""

import signal
import subprocess
import sys

import pytest

from tests.waiting import DEADLINE_SECONDS

PROGRAM = """
import signal, time
from tasks.stack.fleet import interruptible
try:
    with interruptible():
        print("up", flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("before", ["", "trap '' INT; "])
def test_a_signal_ends_it_whether_or_not_ctrl_c_would(number: signal.Signals, before: str) -> None:
    command = ["/bin/sh", "-c", f'{before}exec "$0" -c "$1"', sys.executable, PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(number)
            assert process.communicate(timeout=DEADLINE_SECONDS)[0] == "stopped\n"
        finally:
            process.kill()
