import pytest

from producer.errors import WireError
from producer.operation import ExportState, ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.reply import Reply, complete, decode_reply, encode_reply, failure
from producer.result import (
    ImportStateResult,
    Message,
    RunCodeResult,
    RunTacticsResult,
    Sorry,
    TacticResult,
)
from producer.state import CommandStep, SorryStep, StateRef, TacticStep

HOLE = StateRef(project="p").then(CommandStep("theorem a : True ∧ True := by sorry"), SorryStep(0))


def test_a_reply_survives_the_wire() -> None:
    result = RunCodeResult(
        outcome=Outcome.LEAN_ERROR, messages=(Message(severity="error", data="no"),), sorries=(Sorry(goal="⊢ True"),)
    )

    assert decode_reply(encode_reply(Reply(call_id="1", result=result))) == Reply(call_id="1", result=result)


DEEP = b'{"call_id":"1","result":' + b'{"x":' * 100_000


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"null", b"\xff", b'{"call_id":"\xff"}', DEEP, b'{"call_id":"1","result":{"kind":"x"}}']
)
def test_what_is_no_reply_is_named_as_such(data: bytes) -> None:
    with pytest.raises(WireError, match="not a reply"):
        decode_reply(data)


def test_a_reply_of_a_later_version_says_what_to_upgrade() -> None:
    data = encode_reply(Reply(call_id="1", result=RunCodeResult(outcome=Outcome.OK), v=2))

    with pytest.raises(WireError, match="upgrade"):
        decode_reply(data)


def test_code_with_imports_ends_in_a_state_under_that_header() -> None:
    operation = RunCode(code="import Init\ndef f : Nat := sorry")
    result = complete(operation, RunCodeResult(outcome=Outcome.OK, project="p", sorries=(Sorry(goal="⊢ Nat"),)))

    assert isinstance(result, RunCodeResult)
    assert result.state == StateRef(header="import Init", project="p").then(
        CommandStep("           \ndef f : Nat := sorry")
    )
    assert result.sorries[0].state == result.state.then(SorryStep(0))


def test_each_tactic_that_worked_leads_to_a_state_of_its_own() -> None:
    operation = RunTactics(state=HOLE, tactics=("constructor", "nonsense"))
    result = complete(
        operation,
        RunTacticsResult(
            outcome=Outcome.OK,
            project="p",
            tactics=(
                TacticResult(outcome=Outcome.OK, goals=("⊢ True", "⊢ True")),
                TacticResult(outcome=Outcome.LEAN_ERROR, reason="unknown tactic"),
            ),
        ),
    )

    assert isinstance(result, RunTacticsResult)
    assert result.tactics[0].state == HOLE.then(TacticStep("constructor"))
    assert result.tactics[1].state is None


def test_an_imported_state_is_the_one_that_was_asked_for() -> None:
    result = complete(ImportState(state=HOLE), ImportStateResult(outcome=Outcome.OK, project="p"))

    assert isinstance(result, ImportStateResult)
    assert result.state == HOLE


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.REPL_DIED, Outcome.LOST])
def test_what_did_not_end_leads_to_no_state(outcome: Outcome) -> None:
    operation = RunCode(code="x")
    result = complete(operation, failure(operation, outcome, "why"))

    assert isinstance(result, RunCodeResult)
    assert (result.state, result.reason) == (None, "why")


def test_an_answer_to_another_question_is_refused() -> None:
    with pytest.raises(WireError, match="RunCodeResult cannot answer a export_state"):
        complete(ExportState(state=HOLE), RunCodeResult(outcome=Outcome.OK))
