import pytest

from producer.audit import question, read_answer
from producer.judgement import Expectation, Judgement, Verdict
from producer.outcome import Outcome
from producer.result import Message, Position, RunCodeResult, Sorry
from producer.verdict import Axioms, judge, needs_audit

OK = RunCodeResult(outcome=Outcome.OK)
CLEAN = Axioms(by_theorem={"t": ()})


def error(text: str, line: int = 1) -> Message:
    return Message(severity="error", data=text, pos=Position(line, 4))


def failed(outcome: Outcome, reason: str = "") -> RunCodeResult:
    return RunCodeResult(outcome=outcome, reason=reason)


@pytest.mark.parametrize("axioms", [(), ("propext",), ("Quot.sound", "Classical.choice", "propext")])
def test_a_theorem_on_leans_own_axioms_is_proved(axioms: tuple[str, ...]) -> None:
    judgement = judge(OK, ["t"], Axioms(by_theorem={"t": axioms}))
    assert judgement == Judgement(verdict=Verdict.PROVED, outcome=Outcome.OK)


@pytest.mark.parametrize(
    ("result", "theorems", "axioms", "reasons"),
    [
        # an error counts whatever the outcome says
        (
            RunCodeResult(outcome=Outcome.LEAN_ERROR, messages=(error("bad\nmore"),)),
            ["t"],
            None,
            ["lean_error: 1:4: bad"],
        ),
        (RunCodeResult(outcome=Outcome.OK, messages=(error("bad"),)), ["t"], CLEAN, ["lean_error: 1:4: bad"]),
        (RunCodeResult(outcome=Outcome.LEAN_ERROR), ["t"], None, ["lean_error"]),
        (
            RunCodeResult(outcome=Outcome.LEAN_ERROR, messages=tuple(error("bad", line) for line in range(5))),
            [],
            None,
            ["lean_error: 0:4: bad", "lean_error: 1:4: bad", "lean_error: 2:4: bad", "lean_error: and 2 more"],
        ),
        # each sign of a sorry suffices
        (RunCodeResult(outcome=Outcome.OK, sorries=(Sorry(goal="⊢ p"),)), ["t"], CLEAN, ["contains_sorry"]),
        (
            RunCodeResult(outcome=Outcome.OK, messages=(Message(severity="warning", data="declaration uses 'sorry'"),)),
            ["t"],
            CLEAN,
            ["contains_sorry"],
        ),
        (
            RunCodeResult(outcome=Outcome.OK, messages=(Message(severity="warning", data="declaration uses `sorry`"),)),
            ["t"],
            CLEAN,
            ["contains_sorry"],
        ),
        (OK, ["t"], Axioms(by_theorem={"t": ("sorryAx",)}), ["contains_sorry"]),
        # what theorems rest on
        (
            OK,
            ["t", "u"],
            Axioms(by_theorem={"t": ("Lean.ofReduceBool", "propext"), "u": ("bad",)}),
            ["forbidden_axiom: Lean.ofReduceBool", "forbidden_axiom: bad"],
        ),
        (OK, ["t", "u"], Axioms(by_theorem={"t": (), "u": None}), ["missing_declaration: u"]),
        (OK, ["t"], Axioms(), ["missing_declaration: t"]),
        (OK, ["t"], None, ["missing_declaration: t"]),
    ],
)
def test_what_lean_rejects_or_rests_on_too_much_is_not_proved(
    result: RunCodeResult, theorems: list[str], axioms: Axioms | None, reasons: list[str]
) -> None:
    judgement = judge(result, theorems, axioms)
    assert judgement.verdict is Verdict.NOT_PROVED
    assert list(judgement.reasons) == reasons


def test_a_text_without_a_theorem_is_not_proved() -> None:
    judgement = judge(OK, [], None)
    assert judgement.verdict is Verdict.NOT_PROVED
    assert judgement.reasons[0].startswith("no_theorem")


CUT_SHORT = [outcome for outcome in Outcome if outcome not in (Outcome.OK, Outcome.LEAN_ERROR)]


@pytest.mark.parametrize("outcome", CUT_SHORT)
def test_where_the_run_was_cut_short_there_is_no_verdict(outcome: Outcome) -> None:
    judgement = judge(failed(outcome, "because\nof this"), ["t"], None)
    assert judgement == Judgement(verdict=Verdict.ERROR, outcome=outcome, reasons=(f"{outcome}: because",))


@pytest.mark.parametrize("outcome", CUT_SHORT)
def test_where_the_audit_was_cut_short_there_is_none_either(outcome: Outcome) -> None:
    judgement = judge(OK, ["t"], Axioms(outcome=outcome, reason="x"))
    assert (judgement.verdict, judgement.outcome) == (Verdict.ERROR, outcome)


def test_axioms_are_asked_for_only_where_they_matter() -> None:
    assert needs_audit(OK, ["t"])
    assert not needs_audit(OK, [])
    assert not needs_audit(RunCodeResult(outcome=Outcome.OK, messages=(error("bad"),)), ["t"])
    assert not any(needs_audit(failed(outcome), ["t"]) for outcome in Outcome if outcome is not Outcome.OK)


@pytest.mark.parametrize(
    ("expectation", "is_met"),
    [
        (Expectation(), True),
        (Expectation(verdict="not_proved"), True),
        (Expectation(verdict="proved"), False),
        (Expectation(outcome=Outcome.OK), True),
        (Expectation(outcome=Outcome.TIMEOUT), False),
        (Expectation(reason="forbidden_axiom"), True),
        (Expectation(reason="contains"), True),
        (Expectation(reason="lean_error"), False),
    ],
)
def test_an_expectation_binds_what_it_names(expectation: Expectation, *, is_met: bool) -> None:
    judgement = Judgement(
        verdict=Verdict.NOT_PROVED, outcome=Outcome.OK, reasons=("contains_sorry", "forbidden_axiom: bad")
    )
    assert expectation.is_met(judgement) is is_met


# -- the question and its answer ------------------------------------------------------------------------------


def answer(*messages: tuple[int, str]) -> RunCodeResult:
    return RunCodeResult(
        outcome=Outcome.OK,
        messages=tuple(Message(severity="info", data=data, pos=Position(line, 0)) for line, data in messages),
    )


def test_axioms_are_read_from_what_lean_prints() -> None:
    theorems = ["a", "N.b", "c", "d"]
    assert question(theorems).splitlines()[1] == "#print axioms N.b"
    found = read_answer(
        theorems,
        answer(
            (1, "'a' does not depend on any axioms"),
            (2, "'N.b' depends on axioms: [propext,\n Classical.choice,\n Quot.sound]"),
            (3, "'c' depends on axioms: [bad]"),
        ),
    )
    assert found == Axioms(
        by_theorem={"a": (), "N.b": ("propext", "Classical.choice", "Quot.sound"), "c": ("bad",), "d": None}
    )


@pytest.mark.parametrize(
    "message",
    [
        Message(severity="error", data="'a' does not depend on any axioms", pos=Position(1, 0)),
        Message(severity="info", data="'a' does not depend on any axioms"),
        Message(severity="info", data="'a' does not depend on any axioms", pos=Position(9, 0)),
        Message(severity="info", data="I say: 'a' does not depend on any axioms", pos=Position(1, 0)),
        Message(severity="info", data="whatever", pos=Position(1, 0)),
    ],
)
def test_what_is_no_answer_leaves_the_theorem_unknown(message: Message) -> None:
    found = read_answer(["a"], RunCodeResult(outcome=Outcome.OK, messages=(message,)))
    assert found.by_theorem == {"a": None}


def test_an_audit_that_was_cut_short_says_so() -> None:
    assert read_answer(["a"], failed(Outcome.TIMEOUT, "too slow")) == Axioms(outcome=Outcome.TIMEOUT, reason="too slow")
