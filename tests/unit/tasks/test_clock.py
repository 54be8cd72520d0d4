"""The fleet's time is the server's, whatever this machine's own clock does."""

import logging

import pytest

from tasks.clock import FleetClock


class Machine:
    """Two clocks, which a test sets."""

    def __init__(self) -> None:
        self.monotonic_seconds = 1000.0
        self.unix_seconds = 5_000_000.0

    def clock(self) -> FleetClock:
        return FleetClock(monotonic=lambda: self.monotonic_seconds, wall=lambda: self.unix_seconds)


class Server:
    """Says what time it is, and takes its time to: `answer_seconds` on this machine's monotonic clock."""

    def __init__(self, machine: Machine, unix_seconds: float, answer_seconds: float = 0.0) -> None:
        self._machine = machine
        self._unix_seconds = unix_seconds
        self._answer_seconds = answer_seconds

    async def time(self) -> tuple[int, int]:
        self._machine.monotonic_seconds += self._answer_seconds
        return int(self._unix_seconds), round(self._unix_seconds % 1 * 1e6)


def test_before_the_server_was_asked_it_is_the_machines_own() -> None:
    machine = Machine()
    assert machine.clock().now() == machine.unix_seconds


async def test_then_it_is_the_servers_and_goes_on_by_the_monotonic_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    await clock.sync(Server(machine, 7_000_000.5))
    assert clock.now() == pytest.approx(7_000_000.5, abs=0.001)
    machine.monotonic_seconds += 10
    machine.unix_seconds -= 86_400
    assert clock.now() == pytest.approx(7_000_010.5, abs=0.001)


async def test_half_of_what_the_answer_took_is_added() -> None:
    machine = Machine()
    clock = machine.clock()
    await clock.sync(Server(machine, 7_000_000.0, answer_seconds=2.0))
    assert clock.now() == pytest.approx(7_000_001.0, abs=0.001)


@pytest.mark.parametrize("late", [False, True])
async def test_a_server_that_was_stopped_meanwhile_moves_it_by_nothing(late: bool) -> None:
    """Whether it had looked at its clock before it was stopped, or does so afterwards."""
    machine = Machine()
    clock = machine.clock()
    await clock.sync(Server(machine, 7_000_000.0))
    machine.monotonic_seconds += 10
    await clock.sync(Server(machine, 7_000_018.0 if late else 7_000_010.0, answer_seconds=8.0))
    assert clock.now() == pytest.approx(7_000_018.0, abs=0.001)


async def test_a_servers_clock_that_is_set_is_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    await clock.sync(Server(machine, 7_000_000.0))
    await clock.sync(Server(machine, 7_000_600.0, answer_seconds=2.0))
    assert clock.now() == pytest.approx(7_000_601.0, abs=1.001)


async def test_a_clock_that_is_wrong_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await clock.sync(Server(machine, machine.unix_seconds + 60))
    assert caplog.text.count("differs by -60 s") == 1
