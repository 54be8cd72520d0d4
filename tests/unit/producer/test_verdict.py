import msgspec
import pytest

from producer.judgement import Expectation, Judgement, Verdict
from producer.operation import VerifyProof
from producer.outcome import Outcome
from producer.result import AuditedTheorem, Message, Position, RunCodeResult, Sorry, VerifyProofResult
from producer.verdict import Audit, judge_proof, refusals

OK = RunCodeResult(outcome=Outcome.OK)
ASKED = VerifyProof(statement="theorem t : p := sorry", proof="theorem t : p := h")
ALONE = VerifyProof(proof="theorem t : p := h")
SORRY = RunCodeResult(outcome=Outcome.OK, sorries=(Sorry(goal="⊢ p"),))


def audit(*axioms: str, kind: str = "theorem", declared: tuple[str, ...] = ()) -> Audit:
    return Audit(theorems=(AuditedTheorem(name="t", kind=kind, axioms=axioms, declared=declared),))


CLEAN = audit()


def error(text: str, line: int = 1) -> Message:
    return Message(severity="error", data=text, pos=Position(line, 4))


def warning(text: str) -> RunCodeResult:
    return RunCodeResult(outcome=Outcome.OK, messages=(Message(severity="warning", data=text),))


@pytest.mark.parametrize("axioms", [(), ("propext",), ("Quot.sound", "Classical.choice", "propext")])
@pytest.mark.parametrize("operation", [ASKED, ALONE])
def test_a_theorem_on_leans_own_axioms_is_proved(operation: VerifyProof, axioms: tuple[str, ...]) -> None:
    judgement = judge_proof(operation, OK, audit(*axioms))
    assert judgement == Judgement(verdict=Verdict.PROVED, outcome=Outcome.OK)


@pytest.mark.parametrize(
    ("text", "found", "reasons"),
    [
        # an error counts whatever the outcome says
        (
            RunCodeResult(outcome=Outcome.LEAN_ERROR, messages=(error("bad\nmore"),)),
            None,
            ["lean_error: 1:4: bad\nmore"],
        ),
        (RunCodeResult(outcome=Outcome.OK, messages=(error("bad"),)), CLEAN, ["lean_error: 1:4: bad"]),
        (RunCodeResult(outcome=Outcome.LEAN_ERROR), CLEAN, ["lean_error"]),
        (
            RunCodeResult(outcome=Outcome.LEAN_ERROR, messages=tuple(error("bad", line) for line in range(5))),
            None,
            ["lean_error: 0:4: bad", "lean_error: 1:4: bad", "lean_error: 2:4: bad", "lean_error: and 2 more"],
        ),
        # what the theorem is, and what it rests on
        (OK, audit("sorryAx"), ["contains_sorry"]),
        (OK, audit("propext", "b", "a"), ["forbidden_axiom: a", "forbidden_axiom: b"]),
        (OK, audit("propext", declared=("propext",)), ["forbidden_axiom: propext"]),
        (OK, audit(kind=""), ["missing_declaration: t"]),
        (OK, audit(kind="def"), ["not_a_theorem: t"]),
        (OK, audit("t", kind="axiom", declared=("t",)), ["not_a_theorem: t", "forbidden_axiom: t"]),
        (OK, Audit(rejected="t: no\nand more"), ["kernel_rejected: t: no"]),
        (OK, Audit(mismatch="t is not it"), ["statement_mismatch: t is not it"]),
        (OK, msgspec.structs.replace(CLEAN, external="no"), ["external_rejected: no"]),
    ],
)
def test_what_is_rejected_or_rests_on_too_much_is_not_proved(
    text: RunCodeResult, found: Audit | None, reasons: list[str]
) -> None:
    judgement = judge_proof(ASKED, text, found)
    assert judgement.verdict is Verdict.NOT_PROVED
    assert list(judgement.reasons) == reasons


@pytest.mark.parametrize("text", [SORRY, warning("declaration uses 'sorry'"), warning("declaration uses `sorry`")])
def test_a_sorry_beside_the_theorem_counts_only_where_all_of_the_text_is_meant(text: RunCodeResult) -> None:
    assert judge_proof(ALONE, text, CLEAN).reasons == ("contains_sorry",)
    assert judge_proof(ASKED, text, CLEAN).verdict is Verdict.PROVED


def test_a_text_without_an_audit_is_not_proved() -> None:
    for nothing in (None, Audit()):
        judgement = judge_proof(ALONE, OK, nothing)
        assert judgement.verdict is Verdict.NOT_PROVED
        assert judgement.reasons[0].startswith("no_theorem")


def test_axioms_can_be_allowed_but_not_the_candidates_own() -> None:
    generous = msgspec.structs.replace(ASKED, allowed_axioms=("given",))
    assert judge_proof(generous, OK, audit("given")).verdict is Verdict.PROVED
    assert judge_proof(generous, OK, audit("given", declared=("given",))).reasons == ("forbidden_axiom: given",)
    assert judge_proof(generous, OK, audit("propext")).reasons == ("forbidden_axiom: propext",)


@pytest.mark.parametrize("outcome", [each for each in Outcome if each not in (Outcome.OK, Outcome.LEAN_ERROR)])
def test_where_the_run_was_cut_short_there_is_no_verdict(outcome: Outcome) -> None:
    expected = Judgement(verdict=Verdict.ERROR, outcome=outcome, reasons=(f"{outcome}: because",))
    assert judge_proof(ASKED, RunCodeResult(outcome=outcome, reason="because\nof this"), None) == expected
    # nor where nothing was run at all
    assert VerifyProofResult(outcome=outcome, reason="because").judgement == expected
    assert VerifyProofResult(outcome=outcome).judgement.reasons == (str(outcome),)


@pytest.mark.parametrize(
    ("statement", "proof", "reason"),
    [
        ("theorem t : p := sorry", "theorem t : p := h", ""),
        ("import A\ntheorem t : p := sorry", "theorem t : p := h", ""),
        ("import A\ntheorem t : p := sorry", "import  A\n\ntheorem t : p := h", ""),
        ("", "import A\ntheorem t : p := h", ""),
        ("theorem t : p := sorry", "import A\ntheorem t : p := h", "statement_mismatch"),
        ("import A\ntheorem t : p := sorry", "import A\nimport B\ntheorem t : p := h", "statement_mismatch"),
        ("prelude\ntheorem t : p := sorry", "prelude\ntheorem t : p := h", "forbidden_command: prelude"),
        ("prelude\ntheorem t : p := sorry", "theorem t : p := h", "forbidden_command: prelude"),
        ("", "/- -/ prelude\ntheorem t : p := h", "forbidden_command: prelude"),
    ],
)
def test_a_proof_stands_on_the_statements_imports_and_on_a_library(statement: str, proof: str, reason: str) -> None:
    refused = refusals(VerifyProof(statement=statement, proof=proof))
    assert refused[0].startswith(reason) if reason else refused == ()


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


def test_an_import_that_these_workers_do_not_have_has_a_reason_of_its_own() -> None:
    said = "unknown module prefix 'Mathlib'\n\nNo directory 'Mathlib' or file 'Mathlib.olean' in the search path"
    judgement = judge_proof(ALONE, RunCodeResult(outcome=Outcome.LEAN_ERROR, reason=said), None)
    assert judgement.verdict is Verdict.NOT_PROVED
    assert judgement.reasons == (
        "unknown_import: unknown module prefix 'Mathlib': the Lean of these workers has no such module",
    )
    other = judge_proof(ALONE, RunCodeResult(outcome=Outcome.LEAN_ERROR, reason="Lean said no"), None)
    assert other.reasons == ("lean_error: Lean said no",)
