"""The watchman kills what is registered and nobody else, also when numbers have been given out again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers import watchman

SCRIPT = Path(watchman.__file__)
SLEEP = (sys.executable, "-I", "-S", "-c", "import sys; print(flush=True); sys.stdin.read()")


def sleeper() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(SLEEP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def watch(lines: bytes) -> None:
    """Run a watchman whose worker says this and dies."""
    subprocess.run((sys.executable, "-I", "-S", str(SCRIPT)), input=lines, check=True, timeout=120)


def test_what_is_registered_is_killed_and_what_is_forgotten_is_not() -> None:
    with sleeper() as registered, sleeper() as forgotten:
        watch(b"+%d\n+%d\n-%d\n" % (registered.pid, forgotten.pid, forgotten.pid))
        assert registered.wait(timeout=120) == -9
        assert forgotten.poll() is None
        forgotten.kill()


def test_a_number_that_nobody_has_is_no_error() -> None:
    with sleeper() as gone:
        gone.kill()
    watch(b"+%d\n-%d\n+%d\n" % (gone.pid, gone.pid, gone.pid))


@pytest.mark.skipif(sys.platform != "linux", reason="start times come from /proc")
def test_a_number_that_is_another_processs_by_now_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    starts = iter(["100", "200"])  # when it registered, and when the worker died
    monkeypatch.setattr(watchman, "started", lambda _pid: next(starts))
    monkeypatch.setattr(os, "killpg", lambda group, _number: killed.append(group))
    read, write = os.pipe()
    os.write(write, b"+4242\n")
    os.close(write)
    with os.fdopen(read, encoding="ascii") as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        watchman.main()
    assert killed == []


@pytest.mark.skipif(sys.platform != "linux", reason="start times come from /proc")
def test_a_start_time_is_known_whatever_the_process_is_called() -> None:
    assert watchman.started(os.getpid()).isdecimal()
    assert watchman.started(2**22 + 1) == ""
