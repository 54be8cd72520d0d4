"""What a checker is told and cannot read is no judgement, and no traceback."""

import io
import sys
from pathlib import Path

import msgspec
import pytest

from workers.verification.comparator import _read
from workers.verification.question import FAILED, FailedError, Question, answer


def nobody(question: Question) -> None:
    pytest.fail(f"asked about {question}")


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"statement": "\xff"}', b'{"statement": ' + b"[" * 100_000])
def test_a_question_that_cannot_be_read_is_no_judgement(
    line: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert answer(nobody) == FAILED
    assert capsys.readouterr().err


def test_an_error_of_our_own_is_no_rejection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(question: Question) -> None:
        raise KeyError(question.theorem)

    asked = Question(statement="", proof="", theorem="t", allowed_axioms=())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(msgspec.json.encode(asked))))
    assert answer(broken) == FAILED
    assert "t" in capsys.readouterr().err


@pytest.mark.parametrize("report", [b"", b"[]", b'{"kernelFailureMessage": "\xff"}', b"[" * 100_000])
def test_a_report_of_comparators_that_cannot_be_read_is_no_judgement(report: bytes, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(report)
    with pytest.raises(FailedError, match="is not understood"):
        _read(tmp_path / "report.json")
