"""What is known of a batch at one moment: what its attempts are and have brought."""

import enum
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from producer.batch.manifest import Attempt, Ending, Manifest
from producer.batch.record import Record, effective
from producer.errors import BatchError


class State(enum.StrEnum):
    RUNNING = "running"  # workers may still answer
    FINISHED = "finished"
    CANCELLED = "cancelled"
    LOST = "lost"  # the broker forgot what had no answer yet


def state_of(*, unanswered: int, is_open: bool, ending: Ending | None) -> State:
    """The state of an attempt.

    Args:
        unanswered: how many have no answer, on the broker or in the store.
        is_open: whether the broker takes answers.
        ending: how it was closed, if it was.
    """
    if ending is Ending.CANCELLED and unanswered:
        return State.CANCELLED
    if not unanswered:
        return State.FINISHED
    return State.RUNNING if is_open and ending is None else State.LOST


class AttemptView(NamedTuple):
    """`places` are those that the attempt runs, ascending. `unsaved`: how many answers are not in the store yet."""

    attempt: Attempt
    places: Sequence[int]
    state: State
    records: Mapping[int, Record]
    published: int
    unsaved: int

    @property
    def unanswered(self) -> int:
        return len(self.places) - len(self.records)


class Snapshot(NamedTuple):
    """`attempts` in their order, at least one; all but the last have ended."""

    manifest: Manifest
    attempts: Sequence[AttemptView]
    at: float  # unix time

    def up_to(self, attempt: int | None) -> "Snapshot":
        """As if no later attempt had been made. Raise BatchError when there was no such attempt."""
        if attempt is None:
            return self
        if not 1 <= attempt <= len(self.attempts):
            raise BatchError(f"batch {self.manifest.id} has {len(self.attempts)} attempts, and no attempt {attempt}")
        return self._replace(attempts=self.attempts[:attempt])

    def results(self) -> dict[int, Record]:
        """What counts, by place; without those that never had an answer."""
        first, *later = self.attempts
        found = dict(first.records)
        for view in later:
            for place, record in view.records.items():
                found[place] = effective(found.get(place), record)
        return dict(sorted(found.items(), key=itemgetter(0)))
