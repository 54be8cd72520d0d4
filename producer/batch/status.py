"""A batch in numbers."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from producer.batch.snapshot import AttemptView, Snapshot, State
from producer.judgement import Verdict
from producer.outcome import Outcome


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Of one attempt. `published` of `total` messages were put into the queue."""

    number: int
    state: State
    created_at: float
    total: int
    published: int
    answered: int
    unsaved: int = 0
    timeout_seconds: float | None = None
    memory_bytes: int | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A batch in numbers. `answered` + `unanswered` = `total`; verdicts and outcomes are counted over the answered.

    `state` is that of the last attempt. `rate` and `eta_seconds` are there while it runs: answers a second since its
    begin or, in `watch`, lately.
    """

    id: str
    name: str
    state: State
    created_at: float
    total: int
    answered: int
    unanswered: int
    verdicts: dict[Verdict, int]
    outcomes: dict[Outcome, int]
    attempts: tuple[Progress, ...]
    rate: float | None = None
    eta_seconds: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_running(self) -> bool:
        return self.state is State.RUNNING

    @property
    def all_proved(self) -> bool:
        return self.verdicts.get(Verdict.PROVED, 0) == self.total


def summary(snapshot: Snapshot, warnings: Sequence[str] = ()) -> Status:
    results = snapshot.results()
    last = snapshot.attempts[-1]
    answered = len(last.records)
    rate = eta = None
    if last.state is State.RUNNING and answered and (elapsed := snapshot.at - last.attempt.created_at) > 0:
        rate = answered / elapsed
        eta = last.unanswered / rate
    return Status(
        id=snapshot.manifest.id,
        name=snapshot.manifest.name,
        state=last.state,
        created_at=snapshot.manifest.created_at,
        total=snapshot.manifest.total,
        answered=len(results),
        unanswered=snapshot.manifest.total - len(results),
        verdicts=dict(sorted(Counter(record.verdict for record in results.values()).items())),
        outcomes=dict(sorted(Counter(record.outcome for record in results.values()).items())),
        attempts=tuple(map(_progress, snapshot.attempts)),
        rate=rate,
        eta_seconds=eta,
        warnings=tuple(warnings),
    )


def _progress(view: AttemptView) -> Progress:
    return Progress(
        number=view.attempt.number,
        state=view.state,
        created_at=view.attempt.created_at,
        total=len(view.places),
        # Whatever has ended needs no more messages, and the broker has forgotten how many there were.
        published=view.published if view.state is State.RUNNING else len(view.places),
        answered=len(view.records),
        unsaved=view.unsaved,
        timeout_seconds=view.attempt.timeout_seconds,
        memory_bytes=view.attempt.memory_bytes,
    )
