"""What a batch keeps of an answer."""

import msgspec
from msgspec.structs import replace

from producer.batch.proof import judge_answer
from producer.errors import WireError
from producer.judgement import Judgement, Verdict
from producer.outcome import Outcome
from producer.reply import decode_reply
from producer.result import Message

# Enough to see what is wrong with a proof; a text that prints without end must not fill the store.
MAX_MESSAGES = 8
MAX_MESSAGE_CHARACTERS = 2000


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer, judged. `place` is its proof's in the batch, `delivery` counts how often a worker was given it."""

    place: int
    attempt: int
    verdict: Verdict
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()  # errors and warnings
    lean_seconds: float = 0.0
    queued_seconds: float = 0.0
    worker: str = ""
    delivery: int = 1
    cached: bool = False

    @property
    def judgement(self) -> Judgement:
        return Judgement(verdict=self.verdict, outcome=self.outcome, reasons=self.reasons)

    @property
    def is_settled(self) -> bool:
        """Whether every further run would end in the same way."""
        return self.outcome.is_deterministic or self.outcome is Outcome.INVALID_REQUEST


def record_of(data: bytes, place: int, attempt: int) -> Record:
    """Judge a reply as it lies on the broker. One that this version cannot read is an `error` that says so."""
    try:
        result = decode_reply(data).result
        judgement, messages = judge_answer(result)
    except (WireError, TypeError) as error:
        return Record(
            place=place,
            attempt=attempt,
            verdict=Verdict.ERROR,
            outcome=Outcome.LOST,
            reasons=(f"lost: the answer cannot be read: {error}",),
        )
    told = [each for each in messages if each.severity in ("error", "warning")]
    return Record(
        place=place,
        attempt=attempt,
        verdict=judgement.verdict,
        outcome=judgement.outcome,
        reasons=judgement.reasons,
        messages=tuple(_shortened(each) for each in told[:MAX_MESSAGES]),
        lean_seconds=round(result.timing.lean_seconds, 6),
        queued_seconds=round(result.timing.queued_seconds, 3),
        worker=result.worker,
        delivery=result.attempt,
        cached=result.cached,
    )


def _shortened(message: Message) -> Message:
    if len(message.data) <= MAX_MESSAGE_CHARACTERS:
        return message
    return replace(message, data=message.data[: MAX_MESSAGE_CHARACTERS - 1] + "…")


def effective(before: Record | None, record: Record) -> Record:
    """What counts of a proof when an attempt brought `record` after `before`: the last settled one, else the last."""
    return before if before is not None and before.is_settled and not record.is_settled else record
