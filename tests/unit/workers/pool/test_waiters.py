"""Waiters are answered in order and once, and only as many are looked at as can matter."""

from producer.errors import HeaderError, PoolClosedError
from workers.pool.waiters import Waiters


async def test_no_more_of_a_header_are_looked_at_than_can_work_at_once() -> None:
    waiters = Waiters(2)
    joined = [waiters.join(header, ()) for header in "aaabab"]
    assert waiters.first() == [joined[0], joined[1], joined[3], joined[5]]
    assert not waiters.matters(joined[4])
    assert waiters.matters(joined[5])


async def test_one_who_was_answered_makes_room_for_the_next_but_is_there_until_it_leaves() -> None:
    waiters = Waiters(1)
    first, second = waiters.join("a", ()), waiters.join("a", ())
    first.future.cancel()
    assert waiters.first() == [second]
    assert len(waiters) == 2
    waiters.leave(first)
    waiters.leave(first)  # leaving twice is no error
    assert len(waiters) == 1
    assert waiters[second.id] is second


async def test_each_who_is_refused_gets_an_error_of_its_own_and_others_are_left_alone() -> None:
    waiters = Waiters(1)
    bad, other, also_bad = (waiters.join(header, ()) for header in ("bad", "good", "bad"))
    waiters.refuse(HeaderError("no such module"), "bad")
    errors = [bad.future.exception(), also_bad.future.exception()]
    assert errors == [HeaderError("no such module")] * 2
    assert errors[0] is not errors[1]
    assert list(waiters.unanswered()) == [other]
    waiters.refuse(PoolClosedError("closing"))
    assert other.future.exception() == PoolClosedError("closing")
    assert bad.future.exception() == HeaderError("no such module")


async def test_the_view_says_how_long_one_has_waited() -> None:
    waiter = Waiters(1).join("a", ("state",))
    view = waiter.view(waiter.since + 3.0)
    assert (view.id, view.header, view.prefer) == (waiter.id, "a", ("state",))
    assert abs(view.waited_seconds - 3.0) < 1e-6
