"""Where kombu's own transport loses one message in three kills: between taking it and recording that it was taken."""

from tasks.stack.valkey import Valkey
from tests.chaos.killing import kill_consumers


def test_nothing_is_lost_with_a_consumer_that_is_killed_while_it_takes(valkey: Valkey) -> None:
    killed = kill_consumers(valkey.url, kills=12, seed=1, transport="lease")
    assert killed.lost == 0
    assert killed.sent == 12 * 400
