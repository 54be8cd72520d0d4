from tasks.appetite import PATIENCE_SECONDS, Appetite, Patience

_SHORT, _LONG = PATIENCE_SECONDS / 10, PATIENCE_SECONDS * 10


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_there_is_room_for_each_repl_whatever_happened() -> None:
    appetite = Appetite(repls=2, clock=Clock())
    appetite.handed_back()
    appetite.finished(_LONG)
    assert [appetite.has_room(held) for held in range(4)] == [True, True, False, False]


def test_more_is_taken_while_operations_are_short() -> None:
    appetite = Appetite(repls=2, clock=Clock())
    appetite.finished(_SHORT)
    assert appetite.has_room(3)


def test_a_long_one_among_short_ones_changes_nothing() -> None:
    appetite = Appetite(repls=2, clock=Clock())
    appetite.finished(_SHORT)
    appetite.finished(_LONG)
    assert appetite.has_room(3)


def test_no_more_is_taken_when_nothing_short_has_ended_for_a_while() -> None:
    clock = Clock()
    appetite = Appetite(repls=1, clock=clock)
    appetite.finished(_SHORT)
    clock.now += PATIENCE_SECONDS
    assert not appetite.has_room(1)
    appetite.finished(_SHORT)
    assert appetite.has_room(1)


def test_what_was_handed_back_is_not_taken_again_before_a_repl_is_free() -> None:
    appetite = Appetite(repls=1, clock=Clock())
    appetite.finished(_SHORT)
    appetite.handed_back()
    assert not appetite.has_room(1)
    assert appetite.has_room(0)


def test_an_operation_that_comes_back_waits_longer_each_time() -> None:
    patience = Patience(first_seconds=1)
    waited = []
    for _ in range(8):
        waited.append(next(seconds for seconds in range(1000) if patience.is_over("call", seconds)))
        patience.handed_back("call")
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60]
    assert patience.is_over("another", 1)
