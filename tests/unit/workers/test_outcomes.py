import pytest

from producer.errors import (
    BlobMissingError,
    HeaderError,
    InvalidInputError,
    LeanFleetError,
    ReplDiedError,
    ReplOutOfMemoryError,
    ReplStartError,
    ReplTimeoutError,
)
from producer.outcome import Outcome
from workers.outcomes import RestoringError, command_outcome, failure_outcome, tactic_result
from workers.protocol.responses import CommandResponse, ErrorResponse, Message, Sorry, TacticResponse

ERROR = Message(severity="error", data="unknown identifier")


def tactic(**fields: object) -> TacticResponse:
    return TacticResponse(proof_state=1, **{"goals": (), **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("response", "outcome", "reason"),
    [
        (tactic(proof_status="Completed"), Outcome.OK, ""),
        (tactic(), Outcome.OK, ""),  # before v4.19 there was no status
        (tactic(goals=("⊢ p",), proof_status="Incomplete: open goals remain"), Outcome.OK, ""),
        (tactic(proof_status="Incomplete: contains sorry", sorries=(Sorry(goal="⊢ p"),)), Outcome.OK, ""),
        (tactic(proof_status="Not verified: more than one initial goal"), Outcome.OK, ""),
        (tactic(messages=(Message(severity="warning", data="unused"),)), Outcome.OK, ""),
        # an ordinary reply, no goals left, and yet it failed
        (tactic(messages=(ERROR,)), Outcome.LEAN_ERROR, "unknown identifier"),
        (tactic(proof_status="Error: kernel type check failed"), Outcome.LEAN_ERROR, "Error: kernel type check failed"),
        (ErrorResponse(message="Lean error:\ntactic 'rfl' failed"), Outcome.LEAN_ERROR, "tactic 'rfl' failed"),
        (ErrorResponse(message="<input>:1:1: expected tactic"), Outcome.LEAN_ERROR, "<input>:1:1: expected tactic"),
        (ErrorResponse(message=""), Outcome.LEAN_ERROR, "Lean rejected the tactic"),
    ],
)
def test_every_way_of_saying_no_is_understood(
    response: TacticResponse | ErrorResponse, outcome: Outcome, reason: str
) -> None:
    result = tactic_result(response, lean_seconds=1.0)
    assert (result.outcome, result.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("response", "tactics", "status"),
    [
        (tactic(), ("intro h", "exact h"), "Completed"),
        (tactic(), ("have h : p := by sorry", "exact h"), "Incomplete: contains sorry"),
        (tactic(), ("admit",), "Incomplete: contains sorry"),
        (tactic(), ("exact sorry_free",), "Completed"),
        (tactic(sorries=(Sorry(goal="⊢ p"),)), ("exact h",), "Incomplete: contains sorry"),
        (tactic(goals=("⊢ p",)), ("skip",), ""),
        (tactic(messages=(ERROR,)), ("exact h",), ""),
        (
            tactic(proof_status="Not verified: more than one initial goal"),
            ("rfl",),
            "Not verified: more than one initial goal",
        ),
    ],
)
def test_where_a_repl_is_too_old_to_say_a_proof_is_complete_the_worker_does(
    response: TacticResponse, tactics: tuple[str, ...], status: str
) -> None:
    result = tactic_result(response, lean_seconds=1.0, tactics=tactics)
    assert result.proof_status == status
    assert result.is_complete == (status == "Completed")


def test_commands_speak_through_their_messages() -> None:
    assert command_outcome(CommandResponse(environment=1)) == (Outcome.OK, "")
    assert command_outcome(CommandResponse(environment=1, messages=(ERROR,))) == (Outcome.LEAN_ERROR, "")
    assert command_outcome(ErrorResponse(message="Lean error:\nno")) == (Outcome.LEAN_ERROR, "no")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (HeaderError("unknown module"), Outcome.LEAN_ERROR),
        (ReplTimeoutError("no answer"), Outcome.TIMEOUT),
        (ReplOutOfMemoryError("too much"), Outcome.OUT_OF_MEMORY),
        (ReplDiedError("died"), Outcome.REPL_DIED),
        (ReplStartError("did not start"), Outcome.REPL_DIED),
        (InvalidInputError("a NUL"), Outcome.INVALID_REQUEST),
        (RestoringError("step 3"), Outcome.STATE_UNAVAILABLE),
        (BlobMissingError("gone"), Outcome.STATE_UNAVAILABLE),
    ],
)
def test_every_failure_has_its_outcome(error: LeanFleetError, outcome: Outcome) -> None:
    assert failure_outcome(error) == (outcome, error.message)


def test_a_long_tail_of_stderr_keeps_its_end() -> None:
    _, reason = failure_outcome(ReplDiedError("x" * 10_000 + "INTERNAL PANIC"))
    assert len(reason) <= 4000
    assert reason.endswith("INTERNAL PANIC")
