"""What follows from the attempts of a batch: which answer counts, what runs again, what changed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.batch.diff import compare
from producer.batch.manifest import Attempt, Ending, Entry, Manifest
from producer.batch.record import Record, effective
from producer.batch.selection import choose
from producer.batch.snapshot import AttemptView, Snapshot, State, state_of
from producer.batch.status import summary
from producer.errors import BatchError, InvalidInputError
from producer.judgement import Verdict
from producer.outcome import Outcome

VERDICTS = {Outcome.OK: Verdict.PROVED, Outcome.LEAN_ERROR: Verdict.NOT_PROVED}


def record(place: int, outcome: Outcome, attempt: int = 1) -> Record:
    return Record(place=place, attempt=attempt, outcome=outcome, verdict=VERDICTS.get(outcome, Verdict.ERROR))


def view(
    number: int, outcomes: dict[int, Outcome], places: tuple[int, ...], state: State = State.FINISHED
) -> AttemptView:
    return AttemptView(
        attempt=Attempt(number=number, created_at=100.0, queue="q"),
        places=places,
        state=state,
        records={place: record(place, outcome, number) for place, outcome in outcomes.items()},
        published=len(places),
        unsaved=0,
    )


def snapshot(*views: AttemptView, total: int = 4) -> Snapshot:
    manifest = Manifest(id="abcd", total=total, chunks=(), index="", created_at=100.0)
    return Snapshot(manifest, views, at=110.0)


ALL = (0, 1, 2, 3)
FIRST = {0: Outcome.OK, 1: Outcome.LEAN_ERROR, 2: Outcome.TIMEOUT, 3: Outcome.REPL_DIED}


def test_the_last_settled_answer_counts_else_the_last() -> None:
    ok, late, dead = record(0, Outcome.OK), record(0, Outcome.TIMEOUT, 2), record(0, Outcome.REPL_DIED, 3)
    wrong = record(0, Outcome.LEAN_ERROR, 4)
    assert effective(None, late) is late
    assert effective(ok, late) is ok
    assert effective(late, dead) is dead
    assert effective(late, ok) is ok
    assert effective(ok, wrong) is wrong


def test_a_rerun_takes_what_is_not_settled() -> None:
    assert choose(snapshot(view(1, FIRST, ALL))) == (2, 3)
    assert choose(snapshot(view(1, FIRST, ALL)), everything=True) == ALL
    assert choose(snapshot(view(1, FIRST, ALL)), only=["timeout"]) == (2,)
    assert choose(snapshot(view(1, FIRST, ALL)), only=["ok", "timeout"], everything=True) == (0, 2)


def test_a_rerun_takes_what_was_never_answered_as_lost() -> None:
    ended = snapshot(view(1, {0: Outcome.OK}, ALL, State.CANCELLED))
    assert choose(ended) == (1, 2, 3)
    assert choose(ended, only=["lost"]) == (1, 2, 3)
    with pytest.raises(BatchError, match="nothing to run again"):
        choose(ended, only=["timeout"])


def test_what_a_second_run_settled_is_not_run_a_third_time() -> None:
    second = view(2, {2: Outcome.OK, 3: Outcome.REPL_DIED}, (2, 3))
    assert choose(snapshot(view(1, FIRST, ALL), second)) == (3,)
    settled = view(2, {2: Outcome.OK, 3: Outcome.LEAN_ERROR}, (2, 3))
    with pytest.raises(BatchError, match="--all repeats"):
        choose(snapshot(view(1, FIRST, ALL), settled))


def test_a_running_batch_is_not_run_again() -> None:
    with pytest.raises(BatchError, match=r"3 of 4 proofs have no answer yet.*watch abcd.*cancel abcd"):
        choose(snapshot(view(1, {0: Outcome.OK}, ALL, State.RUNNING)))


def test_outcomes_that_are_none_or_settled_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="'nonsense' is no outcome; there are: ok"):
        choose(snapshot(view(1, FIRST, ALL)), only=["nonsense"])
    with pytest.raises(InvalidInputError, match="'lean_error' is settled"):
        choose(snapshot(view(1, FIRST, ALL)), only=["lean_error"])


@given(st.lists(st.dictionaries(st.integers(0, 3), st.sampled_from(list(Outcome))), min_size=1, max_size=4))
def test_counts_add_up_and_nothing_settled_is_ever_lost(attempts: list[dict[int, Outcome]]) -> None:
    views = [view(number, outcomes, ALL) for number, outcomes in enumerate(attempts, 1)]
    status = summary(snapshot(*views))
    assert status.answered + status.unanswered == status.total
    assert sum(status.verdicts.values()) == sum(status.outcomes.values()) == status.answered
    results = snapshot(*views).results()
    for each, place in itertools.product(views, ALL):
        if place in each.records and each.records[place].is_settled:
            assert results[place].is_settled


def test_a_status_tells_rate_and_time_left_while_it_runs() -> None:
    status = summary(snapshot(view(1, {0: Outcome.OK}, ALL, State.RUNNING)))
    assert (status.rate, status.eta_seconds) == (0.1, 30.0)
    assert summary(snapshot(view(1, FIRST, ALL))).rate is None


@pytest.mark.parametrize(
    ("unanswered", "is_open", "ending", "state"),
    [
        (0, True, None, State.FINISHED),
        (0, False, Ending.CANCELLED, State.FINISHED),
        (1, True, None, State.RUNNING),
        (1, False, None, State.LOST),
        (1, False, Ending.CANCELLED, State.CANCELLED),
        (1, True, Ending.CANCELLED, State.CANCELLED),
        (1, False, Ending.LOST, State.LOST),
    ],
)
def test_the_state_of_an_attempt(unanswered: int, is_open: bool, ending: Ending | None, state: State) -> None:
    assert state_of(unanswered=unanswered, is_open=is_open, ending=ending) is state


def test_an_attempt_that_was_never_made_is_refused() -> None:
    with pytest.raises(BatchError, match="has 1 attempts, and no attempt 2"):
        snapshot(view(1, FIRST, ALL)).up_to(2)


def test_a_difference_compares_proofs_by_their_ids() -> None:
    before = [Entry(id=name) for name in ("a", "b", "c", "gone")]
    after = [Entry(id=name) for name in ("c", "new", "b", "a")]
    old = {0: record(0, Outcome.OK), 1: record(1, Outcome.TIMEOUT), 3: record(3, Outcome.OK)}
    new = {2: record(2, Outcome.OK), 3: record(3, Outcome.OK), 0: record(0, Outcome.OK)}
    found = compare((before, old), (after, new))
    assert [(each.id, each.before, each.after) for each in found.changed] == [
        ("c", None, new[0]),
        ("b", old[1], new[2]),
    ]
    assert (found.same, found.only_before, found.only_after) == (1, ("gone",), ("new",))
