"""When unanswered proofs of a batch go into the queue again."""

from producer.batch.vigil import Vigil


def test_quiet_for_longer_than_a_worker_may_take_is_too_long() -> None:
    vigil = Vigil(60.0)
    vigil.note(now=0.0, answered=3, backlog=0)
    assert not vigil.is_due(90.0, 30.0)
    assert vigil.is_due(90.1, 30.0)


def test_what_waits_in_the_queue_is_not_lost_and_an_answer_shows_life() -> None:
    vigil = Vigil(60.0)
    vigil.note(now=0.0, answered=3, backlog=7)
    vigil.note(now=1000.0, answered=3, backlog=1)
    assert not vigil.is_due(1060.0, 0.0)
    vigil.note(now=1050.0, answered=4, backlog=0)
    assert not vigil.is_due(1110.0, 0.0)
    assert vigil.is_due(1111.0, 0.0)


def test_each_further_try_waits_twice_as_long_until_an_answer_comes() -> None:
    vigil = Vigil(60.0)
    vigil.note(now=0.0, answered=0, backlog=0)
    vigil.sent(61.0)
    assert not vigil.is_due(61.0 + 120.0, 0.0)
    assert vigil.is_due(61.0 + 121.0, 0.0)
    vigil.note(now=200.0, answered=1, backlog=0)
    assert vigil.is_due(261.0, 0.0)
