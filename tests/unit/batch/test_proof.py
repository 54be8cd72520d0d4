"""One message for a proof and its axioms: the verdict must be the one that two would give."""

import pytest

from producer.batch.manifest import Entry
from producer.batch.proof import asked, entry_of, judge_answer
from producer.files import Text
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.result import Message, Position, RunCodeResult, RunTacticsResult

CODE = "theorem a : True := True.intro\ntheorem b : 1 = 1 := rfl\n"


def entry(code: str = CODE) -> Entry:
    return entry_of(Text(id="x", operation=RunCode(code=code)))


def message(severity: str, data: str, line: int) -> Message:
    return Message(severity=severity, data=data, pos=Position(line, 0))  # type: ignore[arg-type]


def test_the_question_stands_behind_the_text_and_names_every_theorem() -> None:
    operation = asked(RunCode(code=CODE, timeout_seconds=7), entry())
    assert operation.timeout_seconds == 7
    assert operation.code.splitlines() == [*CODE.splitlines(), "", "#print axioms a", "#print axioms b"]
    assert operation.code.splitlines()[entry().lines] == "#print axioms a"


def test_a_text_without_theorems_is_asked_as_it_is() -> None:
    operation = RunCode(code="#eval 1")
    assert asked(operation, entry("#eval 1")) is operation


@pytest.mark.parametrize(
    ("answers", "verdict", "reason"),
    [
        (["'a' does not depend on any axioms", "'b' depends on axioms: [propext]"], "proved", None),
        (["'a' does not depend on any axioms", "'b' depends on axioms: [sorryAx]"], "not_proved", "contains_sorry"),
        (["'a' depends on axioms: [bad,\n propext]", "'b' does not depend on any axioms"], "not_proved", "forbidden"),
        (["'a' does not depend on any axioms"], "not_proved", "missing_declaration: b"),
        ([], "not_proved", "missing_declaration: a"),
    ],
)
def test_answers_behind_the_text_are_the_audit(answers: list[str], verdict: str, reason: str | None) -> None:
    messages = tuple(message("info", data, entry().lines + 1 + number) for number, data in enumerate(answers))
    judgement, own = judge_answer(entry(), RunCodeResult(outcome=Outcome.OK, messages=messages))
    assert (judgement.verdict, own) == (verdict, ())
    assert any(each.startswith(reason) for each in judgement.reasons) if reason else judgement.reasons == ()


def test_what_the_text_prints_itself_is_no_answer() -> None:
    lies = (
        message("info", "'a' does not depend on any axioms", 1),
        message("info", "'b' does not depend on any axioms", 2),
    )
    judgement, own = judge_answer(entry(), RunCodeResult(outcome=Outcome.OK, messages=lies))
    assert judgement.verdict == "not_proved"
    assert own == lies


@pytest.mark.parametrize("words", ["unknown constant 'b'", "Unknown identifier `b`", "Unknown constant `b`"])
def test_an_unknown_name_is_a_missing_declaration_and_no_error_of_the_text(words: str) -> None:
    messages = (
        message("info", "'a' does not depend on any axioms", entry().lines + 1),
        message("error", words, entry().lines + 2),
    )
    judgement, own = judge_answer(entry(), RunCodeResult(outcome=Outcome.LEAN_ERROR, messages=messages))
    assert (judgement.verdict, judgement.outcome) == ("not_proved", "ok")
    assert judgement.reasons == ("missing_declaration: b",)
    assert own == ()


def test_an_error_behind_a_text_that_was_left_open_is_the_text_s_own() -> None:
    messages = (message("error", "unexpected token '#print'; expected term", entry().lines + 1),)
    judgement, own = judge_answer(entry(), RunCodeResult(outcome=Outcome.LEAN_ERROR, messages=messages))
    assert (judgement.verdict, judgement.outcome) == ("not_proved", "lean_error")
    assert own == messages


def test_an_error_in_the_text_counts_whatever_the_audit_says() -> None:
    messages = (message("error", "type mismatch", 1), message("info", "'a' does not depend on any axioms", 4))
    judgement, _ = judge_answer(entry(), RunCodeResult(outcome=Outcome.LEAN_ERROR, messages=messages))
    assert judgement.reasons == ("lean_error: 1:0: type mismatch",)


def test_a_run_that_was_cut_short_has_no_verdict() -> None:
    judgement, _ = judge_answer(entry(), RunCodeResult(outcome=Outcome.TIMEOUT, reason="60 s"))
    assert (judgement.verdict, judgement.outcome) == ("error", "timeout")


def test_an_answer_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="RunTacticsResult"):
        judge_answer(entry(), RunTacticsResult(outcome=Outcome.OK))
