"""The weaker way, for a REPL that exports no constants: here real Lean behind the community REPL's protocol."""

import pytest

from producer.judgement import Strength, Verdict
from producer.outcome import Outcome
from tests.adversarial.corpus import AXIOMS, COMPUTATION, METAPROGRAMMING, SORRIES, STATEMENTS
from tests.integration.verification.conftest import Start, verify
from workers.verification.command import begins_with, forbidden_commands, own_definitions
from workers.verification.errors import StatementError

STATEMENT = "theorem t (n : Nat) : n < n + 1 := sorry"
PROOF = "theorem t (n : Nat) : n < n + 1 := Nat.lt_succ_self n"
DEFINITION = "def f (n : Nat) : Nat := n + 1\n"


async def test_honest_proofs_are_proved(start: Start) -> None:
    async with start(adapter="community") as executor:
        result = await verify(executor, PROOF, STATEMENT)
        assert (result.verdict, result.strength, result.reasons) == (Verdict.PROVED, Strength.COMMAND, ())
        assert (await verify(executor, PROOF)).is_proved
        assert (await verify(executor, f"import Init\n{PROOF}", f"import Init\n{STATEMENT}")).is_proved
        more = "theorem t : ∀ n, f n = n + 1 := "
        result = await verify(executor, DEFINITION + more + "fun _ => rfl", DEFINITION + more + "sorry")
        assert result.is_proved


async def test_the_statement_must_be_the_one_that_was_asked_for(start: Start) -> None:
    async with start(adapter="community") as executor:
        result = await verify(executor, "theorem t : 1 = 1 := rfl", STATEMENT)
        assert result.reasons[0].startswith("statement_mismatch: t proves")
        statement = DEFINITION + "theorem t : f 1 = 2 := sorry"
        result = await verify(executor, "def f (_ : Nat) : Nat := 2\ntheorem t : f 1 = 2 := rfl", statement)
        assert result.reasons[0].startswith("statement_mismatch: the proof does not begin")
        assert (await verify(executor, " -- nothing\ndef g := 1", STATEMENT)).reasons == ("missing_declaration: t",)


async def test_what_the_stronger_way_refuses_is_not_proved_here_either(start: Start) -> None:
    async with start(adapter="community") as executor:
        for attempt in (*AXIOMS, *SORRIES, *COMPUTATION, *STATEMENTS, *METAPROGRAMMING):
            result = await verify(executor, attempt.proof, attempt.statement, timeout_seconds=20.0)
            assert result.verdict is not Verdict.PROVED, attempt.name


async def test_the_strength_that_this_repl_lacks_is_refused(start: Start) -> None:
    async with start(adapter="community") as executor:
        result = await verify(executor, PROOF, STATEMENT, strength="kernel")
        assert (result.outcome, result.verdict) == (Outcome.INVALID_REQUEST, Verdict.ERROR)
        assert "cannot export constants" in result.reason


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('elab "#print " "axioms" : command => pure ()', ["elab"]),
        ("local  notation a => b", ["notation"]),
        ("macro_rules | `(x) => `(y)", ["macro_rules"]),
        ("run_cmd do skip", ["run_cmd"]),
        ("open  Lean in #eval 1", ["open Lean", "#eval"]),
        ("set_option debug.skipKernelTC true", ["debug.skipKernelTC"]),
        ("import Mathlib\nimport Init\ntheorem t (init : Nat) : init = init := rfl", []),
        ("theorem u : 1 = 1 := rfl\nimport Lean", ["import"]),
        ("@[builtin, init x] opaque y : Nat", ["@[builtin, init"]),
        ("theorem t : f.syntax = 1 ∧ macros = notation' := rfl", []),
        ("def h : Lean.Elab.Command.CommandElabM Unit := pure ()", ["Lean.Elab", "CommandElabM"]),
    ],
)
def test_commands_that_could_answer_for_lean_are_found(text: str, found: list[str]) -> None:
    assert list(forbidden_commands(text)) == found


def test_a_proof_must_begin_with_what_comes_before_the_statements_theorem() -> None:
    assert own_definitions("import A\ndef f :=\n  1 \n\n@[simp] theorem t : f = 1 := sorry") == ["def f :=", "  1"]
    assert own_definitions("theorem t : 1 = 1 := sorry") == []
    with pytest.raises(StatementError):
        own_definitions("def f := 1 theorem t : f = 1 := sorry")


@pytest.mark.parametrize(
    ("proof", "begins"),
    [
        ("def f := 1 -- + 1\ntheorem t : f = 1 := rfl", True),
        ("def f := 1 -- + 1\n\n  \ndef g := 2", True),
        ("def f := 1 -- + 1", True),
        ("def f := 1 --\n + 1\ntheorem t : f = 1 := rfl", False),
        ("def f := 1 -- + 1\n  + 1\ntheorem t : f = 2 := rfl", False),
        ("def g := 0\ndef f := 1 -- + 1\ntheorem t : f = 2 := rfl", False),
    ],
)
def test_definitions_are_compared_line_by_line_and_end_where_they_ended(proof: str, begins: bool) -> None:
    assert begins_with(proof, own_definitions("def f := 1 -- + 1\ntheorem t : f = 1 := sorry")) is begins
