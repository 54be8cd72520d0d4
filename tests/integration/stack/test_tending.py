"""A local fleet of which a part ends: workers are replaced, as a cloud replaces machines; without the rest it ends."""

import re
import subprocess
import sys
from pathlib import Path

import psutil

from tasks.stack.machine import Machine
from tests.machines import is_gone, worker_environ
from tests.waiting import wait_until

PROGRAM = """
import logging, time
from producer.settings import Settings
from tasks.stack.errors import StackError
from tasks.stack.fleet import Fleet, FleetOptions, tended
logging.basicConfig(format="%(message)s")
try:
    with Fleet(Settings(), FleetOptions(machines=2, s3=False, flower=False)) as fleet, tended(fleet):
        print("up", flush=True)
        time.sleep(200)
except StackError as error:
    print(error.message.splitlines()[0])
"""


def _machine(name: str, under: psutil.Process) -> psutil.Process | None:
    for process in under.children():
        try:
            if f"--name={name}" in process.cmdline():
                return process
        except psutil.Error:  # it ends at this moment
            continue
    return None


def _is_valkey(process: psutil.Process) -> bool:
    try:
        return process.name() == "valkey-server"
    except psutil.Error:  # as above
        return False


def test_a_worker_is_replaced_and_the_end_of_the_broker_is_the_end(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with (
        errors.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=worker_environ("", "tending"),
        ) as program,
    ):
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "up\n", errors.read_text()
            fleet = psutil.Process(program.pid)
            first = _machine("machine1", fleet)
            assert first is not None
            first.kill()
            wait_until(lambda: is_gone(first) and _machine("machine1", fleet) is not None, "there is another")
            assert program.poll() is None
            assert (
                "worker machine1 ended (exit code -9) and is replaced; what it held is run again" in errors.read_text()
            )

            processes = fleet.children(recursive=True)
            (valkey,) = (process for process in processes if _is_valkey(process))
            valkey.kill()
            output, _ = program.communicate(timeout=120)
        finally:
            program.kill()
    assert re.match(r"Valkey on port \d+ ended \(exit code -9\):", output)
    wait_until(lambda: all(map(is_gone, processes)), "all of its processes are gone")


def _end_of(machine: Machine) -> None:
    machine.start()
    wait_until(lambda: not machine.running, "it ends")


def test_a_worker_that_never_lasts_is_given_up(tmp_path: Path) -> None:
    machine = Machine("m", directory=tmp_path, environ={})
    machine.command = (sys.executable, "-c", "print('m ready.')")
    lives = 0
    while True:
        _end_of(machine)
        lives += 1
        if not machine.is_worth_replacing:
            break
    assert lives == 4


def test_a_worker_that_ends_before_it_is_ready_is_not_tried_again(tmp_path: Path) -> None:
    machine = Machine("m", directory=tmp_path, environ={})
    machine.command = (sys.executable, "-c", "print('cannot start: no')")
    _end_of(machine)
    assert not machine.is_worth_replacing
