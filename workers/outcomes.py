"""From what a REPL answered, or failed to answer, to what the caller is told: pure functions.

The community REPL says "no" in four ways: error messages, a `proofStatus` that begins with `Error`, a soft error
instead of a reply, and by ending. An elaboration error in a tactic can be an ordinary reply with error messages and no
goals left.
"""

import re
from collections.abc import Iterable

from producer.errors import (
    HeaderError,
    InvalidInputError,
    LeanFleetError,
    PoolClosedError,
    ReplOutOfMemoryError,
    ReplStartError,
    ReplTimeoutError,
    StoreError,
)
from producer.outcome import Outcome
from producer.result import PROOF_COMPLETED, Message, RunCodeResult, Sorry, TacticResult
from workers.protocol import responses
from workers.protocol.responses import CommandResponse, ErrorResponse, TacticResponse

_SORRY = re.compile(r"\b(sorry|admit)\b")
_LEAN_ERROR = "Lean error:\n"
_MAX_REASON = 4000  # characters; enough for a stack of errors, too little to clog a queue


class RestoringError(LeanFleetError):
    """A step of a recipe did not do again what it did before."""


class LostStateError(LeanFleetError):
    """A process does not know a state that it gave out: what was remembered of it is worth nothing."""


def messages(found: tuple[responses.Message, ...]) -> tuple[Message, ...]:
    return tuple(
        Message(severity=message.severity, data=message.data, pos=message.pos, end_pos=message.end_pos or None)
        for message in found
    )


def sorries(found: tuple[responses.Sorry, ...]) -> tuple[Sorry, ...]:
    return tuple(Sorry(goal=sorry.goal, pos=sorry.pos, end_pos=sorry.end_pos) for sorry in found)


def soft_error(response: ErrorResponse) -> str:
    return _short(response.message.removeprefix(_LEAN_ERROR))


def command_outcome(response: CommandResponse | ErrorResponse) -> tuple[Outcome, str]:
    """How commands ended. Errors among the messages speak for themselves, so that the reason is empty then."""
    if isinstance(response, ErrorResponse):
        return Outcome.LEAN_ERROR, soft_error(response)
    return (Outcome.LEAN_ERROR if response.errors else Outcome.OK), ""


def code_result(response: CommandResponse | ErrorResponse) -> RunCodeResult:
    """What became of commands; the account is not in it."""
    outcome, reason = command_outcome(response)
    if isinstance(response, ErrorResponse):
        return RunCodeResult(outcome=outcome, reason=reason)
    return RunCodeResult(
        outcome=outcome, reason=reason, messages=messages(response.messages), sorries=sorries(response.sorries)
    )


def tactic_failure(response: TacticResponse | ErrorResponse) -> str:
    """Why a tactic was rejected, in Lean's words; empty when it was not."""
    if isinstance(response, ErrorResponse):
        return soft_error(response) or "Lean rejected the tactic"
    if response.errors:
        return _short("\n".join(message.data for message in response.errors))
    if response.proof_status.startswith("Error"):
        return _short(response.proof_status)
    return ""


def tactic_result(
    response: TacticResponse | ErrorResponse, *, lean_seconds: float, tactics: Iterable[str] = ()
) -> TacticResult:
    """What became of a tactic; `tactics` are all that the proof consists of so far, this one included."""
    reason = tactic_failure(response)
    if isinstance(response, ErrorResponse):
        return TacticResult(outcome=Outcome.LEAN_ERROR, reason=reason, lean_seconds=lean_seconds)
    return TacticResult(
        outcome=Outcome.LEAN_ERROR if reason else Outcome.OK,
        reason=reason,
        goals=response.goals,
        proof_status=response.proof_status or _unsaid_status(response, reason, tactics),
        messages=messages(response.messages),
        sorries=sorries(response.sorries),
        lean_seconds=lean_seconds,
    )


def _unsaid_status(response: TacticResponse, reason: str, tactics: Iterable[str]) -> str:
    """The status where the REPL says none (before v4.19): of a proof without goals it depends on what is in it."""
    if reason or response.goals:
        return ""
    if response.sorries or any(_SORRY.search(tactic) for tactic in tactics):
        return "Incomplete: contains sorry"
    return PROOF_COMPLETED


def failure_outcome(error: LeanFleetError) -> tuple[Outcome, str]:
    """How an operation ends that `error` ended."""
    reason = _short(error.message, keep_end=True)
    match error:
        case HeaderError():
            return Outcome.LEAN_ERROR, reason
        case ReplTimeoutError():
            return Outcome.TIMEOUT, reason
        case ReplOutOfMemoryError():
            return Outcome.OUT_OF_MEMORY, reason
        case InvalidInputError():
            return Outcome.INVALID_REQUEST, reason
        case RestoringError() | LostStateError() | StoreError():
            return Outcome.STATE_UNAVAILABLE, reason
        case _:
            return Outcome.REPL_DIED, reason


def outcome_or_raise(error: LeanFleetError) -> tuple[Outcome, str]:
    """As `failure_outcome`; what is no outcome of the operation is raised again.

    Raises:
        PoolClosedError, ReplStartError: another worker must do it.
        LostStateError: it must be done again.
    """
    if isinstance(error, PoolClosedError | ReplStartError | LostStateError):
        raise error
    return failure_outcome(error)


def _short(text: str, *, keep_end: bool = False) -> str:
    if len(text) <= _MAX_REASON:
        return text
    return "…" + text[1 - _MAX_REASON :] if keep_end else text[: _MAX_REASON - 1] + "…"
