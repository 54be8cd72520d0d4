"""One message for a proof, and the verdict that it brings."""

import pytest

from producer.batch.proof import judge_answer, operation_of
from producer.batch.record import MAX_MESSAGE_CHARACTERS, MAX_MESSAGES, record_of
from producer.files import Text
from producer.judgement import Verdict
from producer.operation import RunCode, VerifyProof
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply
from producer.result import Message, RunCodeResult, VerifyProofResult


def test_a_text_is_asked_with_its_statement_and_its_limits() -> None:
    text = Text(id="x", operation=RunCode(code="p", timeout_seconds=7, memory_bytes=8), statement="s")
    assert operation_of(text) == VerifyProof(proof="p", statement="s", timeout_seconds=7, memory_bytes=8)


def test_an_answer_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="RunCodeResult"):
        judge_answer(RunCodeResult(outcome=Outcome.OK))


def test_a_record_keeps_what_is_wrong_and_not_all_that_was_said() -> None:
    messages = [Message(severity="info", data="chat"), *[Message(severity="error", data="x" * 10_000)] * 20]
    result = VerifyProofResult(
        outcome=Outcome.LEAN_ERROR,
        verdict=Verdict.NOT_PROVED,
        reasons=("lean_error: 1:0: x",),
        messages=tuple(messages),
    )
    record = record_of(encode_reply(Reply(call_id="c", result=result)), 3, 2)
    assert (record.place, record.attempt, record.verdict, record.outcome) == (3, 2, "not_proved", "lean_error")
    assert record.reasons == ("lean_error: 1:0: x",)
    assert [len(message.data) for message in record.messages] == [MAX_MESSAGE_CHARACTERS] * MAX_MESSAGES
    assert record.messages[0].data.endswith("…")


def test_a_run_that_was_cut_short_has_no_verdict_and_says_why() -> None:
    result = VerifyProofResult(outcome=Outcome.TIMEOUT, reason="killed")
    record = record_of(encode_reply(Reply(call_id="c", result=result)), 0, 1)
    assert (record.verdict, record.reasons, record.is_settled) == ("error", ("timeout: killed",), False)
