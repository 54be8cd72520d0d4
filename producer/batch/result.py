"""What became of one proof of a batch, for programs and files."""

from typing import Any

import msgspec

from producer.batch.manifest import Entry
from producer.batch.record import Record
from producer.judgement import Verdict
from producer.outcome import Outcome
from producer.result import Message


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """`attempt` is the run that it comes from, `delivery` how often a worker was given it then.

    `as_expected` is None where nothing was expected. `messages` are Lean's errors and warnings, long ones shortened.
    """

    id: str
    verdict: Verdict
    outcome: Outcome
    reasons: tuple[str, ...]
    attempt: int
    as_expected: bool | None
    lean_seconds: float
    queued_seconds: float
    worker: str
    delivery: int
    cached: bool
    messages: tuple[Message, ...]

    @property
    def is_fine(self) -> bool:
        """Whether it is proved or, where something was expected, ended as that."""
        return self.verdict is Verdict.PROVED if self.as_expected is None else self.as_expected

    def to_json(self) -> bytes:
        """The line that `leanfleet batch results --json` prints."""
        return msgspec.json.encode(self)

    def to_row(self) -> dict[str, Any]:
        """The row of a table: no lists."""
        row = {name: getattr(self, name) for name in self.__struct_fields__ if name != "messages"}
        return {**row, "verdict": str(self.verdict), "outcome": str(self.outcome), "reasons": "\n".join(self.reasons)}


def result_of(entry: Entry, record: Record) -> BatchResult:
    return BatchResult(
        id=entry.id,
        verdict=record.verdict,
        outcome=record.outcome,
        reasons=record.reasons,
        attempt=record.attempt,
        as_expected=None if entry.expect is None else entry.expect.is_met(record.judgement),
        lean_seconds=record.lean_seconds,
        queued_seconds=record.queued_seconds,
        worker=record.worker,
        delivery=record.delivery,
        cached=record.cached,
        messages=record.messages,
    )
