import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from producer.call import Call
from producer.operation import RunCode, RunTactics
from producer.resend import BLIND_SECONDS, plan, work_seconds
from producer.state import CommandStep, SorryStep, StateRef

MakeCall = Callable[..., Call[Any]]


@pytest.fixture
def make() -> Iterator[MakeCall]:
    loop = asyncio.new_event_loop()

    def make_call(*, sequence: int, left_at: float = 0.0, tries: int = 1, timeout_seconds: float = 10.0) -> Call[Any]:
        operation = RunCode(code="x", timeout_seconds=timeout_seconds)
        call: Call[Any] = Call(str(sequence), operation, loop=loop, on_cancel=lambda _: None)
        call.submitted_at, call.sequence, call.left_at, call.tries = 100.0, sequence, left_at, tries
        return call

    yield make_call
    loop.close()


def test_a_call_that_may_still_be_queued_is_left_alone_however_long_it_takes(make: MakeCall) -> None:
    calls = [make(sequence=number) for number in range(1, 6)]
    # Five were published and five wait: none has left.
    made = plan(calls, now=100.0 + BLIND_SECONDS, published=5, backlog=5, resend_seconds=60.0)
    assert made == ([], [])


def test_those_are_known_to_have_left_after_which_more_were_published_than_wait(make: MakeCall) -> None:
    calls = [make(sequence=number) for number in range(1, 6)]
    made = plan(calls, now=101.0, published=5, backlog=2, resend_seconds=60.0)
    assert [call.id for call in made.left] == ["1", "2", "3"]
    assert made.due == []


def test_an_empty_queue_holds_nothing(make: MakeCall) -> None:
    assert len(plan([make(sequence=5)], now=101.0, published=5, backlog=0, resend_seconds=60.0).left) == 1


@pytest.mark.parametrize(
    ("tries", "waited", "is_due"),
    [
        (1, 69.0, False),  # 60 s and the operation's own 10 s
        (1, 71.0, True),
        (2, 139.0, False),  # twice that for the second try
        (2, 141.0, True),
    ],
)
def test_a_call_is_due_when_its_own_time_and_the_setting_are_over(
    make: MakeCall, tries: int, waited: float, *, is_due: bool
) -> None:
    call = make(sequence=1, left_at=200.0, tries=tries)
    made = plan([call], now=200.0 + waited, published=1, backlog=0, resend_seconds=60.0)
    assert bool(made.due) is is_due
    assert not made.left


def test_a_call_that_was_not_published_is_never_due(make: MakeCall) -> None:
    made = plan([make(sequence=0, tries=0)], now=1e9, published=9, backlog=0, resend_seconds=1.0)
    assert made == ([], [])


def test_behind_others_endless_backlog_a_call_is_sent_again_after_an_hour(make: MakeCall) -> None:
    call = make(sequence=1)
    assert plan([call], now=100.0 + BLIND_SECONDS - 1, published=1, backlog=99, resend_seconds=60.0).due == []
    assert plan([call], now=100.0 + BLIND_SECONDS + 1, published=1, backlog=99, resend_seconds=60.0).due == [call]


def test_each_tactic_has_the_time_limit_to_itself() -> None:
    hole = StateRef(steps=(CommandStep("x"), SorryStep(0)))
    assert work_seconds(RunTactics(state=hole, tactics=("a", "b", "c"), timeout_seconds=5.0)) == 15.0
    assert work_seconds(RunCode(code="x", timeout_seconds=5.0)) == 5.0
