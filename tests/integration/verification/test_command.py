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
        ("@[builtin, init x] opaque y : Nat", ["@[init"]),
        ("theorem t : f.syntax = 1 ∧ macros = notation' := rfl", []),
        ("def h : Lean.Elab.Command.CommandElabM Unit := pure ()", ["Lean.Elab", "CommandElabM"]),
        ("set_option debug.«skipKernelTC» true", ["debug.skipKernelTC"]),
        ("set_option «debug».skipKernelTC true", ["debug.skipKernelTC"]),
        ("@[«command_elab» x] def y := z", ["command_elab"]),
        ("@[simp, /- ] -/ tactic x] def y := z", ["@[tactic"]),
        ("open/- /- -/ -/«Lean»", ["open Lean"]),
        ("open Nat -- /-\n  Lean -- -/", ["open Nat Lean"]),
        ("namespace Lean\nnamespace Elab.Tactic", ["namespace Lean"]),
        ("local /- -/ instance : X := y", ["local instance"]),
        ("simproc_decl f (x) := y", ["simproc_decl"]),
        ("def c := 1macro", ["macro"]),
        ("def c := p.1notation", ["notation"]),
        ("def c := 'a'macro", ["macro"]),
        ("def c := x⁻¹macro", ["macro"]),
        ("def c := «x»macro", ["macro"]),
        ("-- It is written in Lean.\n@[simp, norm_cast] theorem t : h₁.prefix = 0.5 := by norm_num", []),
        ("open BigOperators Real Nat Topology\n\ntheorem t : leanLean = Clean := by positivity", []),
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
    ("definitions", "before"),
    [
        (  # where Python ends a line, and Lean does not
            "def a := 1 -- one\ndef f (n : Nat) := n + n\n",
            "def a := 1 -- one\u2028def f (n : Nat) := n + n\ndef f (n : Nat) := n\n",
        ),
        (
            "def a := 1 -- one\ndef f (n : Nat) := n + n\n",
            "def a := 1 -- one\x85def f (n : Nat) := n + n\ndef f (n : Nat) := n\n",
        ),
        (
            "inductive Q : Nat → Prop\n  | one : Q 1\n",
            "inductive Q : Nat → Prop\n  | one : Q 1\n/-- more -/\n  | any n : Q n\n",
        ),
    ],
)
async def test_definitions_that_only_look_like_the_statements_prove_nothing(
    start: Start, definitions: str, before: str
) -> None:
    claim = "theorem t : Q 7 := " if "Q" in definitions else "theorem t : f 1 = 1 := "
    async with start(adapter="community") as executor:
        result = await verify(
            executor, f"{before}{claim}{'.any 7' if 'Q' in definitions else 'rfl'}", definitions + claim + "sorry"
        )
    assert result.verdict is Verdict.NOT_PROVED
    assert result.reasons == ("statement_mismatch: the proof does not begin with the statement's own definitions",)


async def test_the_kernels_check_cannot_be_turned_off_in_another_spelling(start: Start) -> None:
    async with start(adapter="community") as executor:
        for option in ("debug.«skipKernelTC»", "«debug».skipKernelTC"):
            proof = f"set_option {option} true\ntheorem t : 1 = 2 := by decide +kernel"
            result = await verify(executor, proof, "theorem t : 1 = 2 := sorry")
            assert result.reasons == ("forbidden_command: debug.skipKernelTC",)


@pytest.mark.parametrize(
    ("proof", "begins"),
    [
        ("def f := 1 -- + 1\ntheorem t : f = 1 := rfl", True),
        ("def f := 1 -- + 1\n\n  \ndef g := 2", True),
        ("def f := 1 -- + 1", True),
        ("def f := 1 --\n + 1\ntheorem t : f = 1 := rfl", False),
        ("def f := 1 -- + 1\n  + 1\ntheorem t : f = 2 := rfl", False),
        ("def g := 0\ndef f := 1 -- + 1\ntheorem t : f = 2 := rfl", False),
        ("def f := 1 -- + 1\n/-- of `f`, /- nested -/ -/\n@[simp] theorem t : f = 1 := rfl", True),
        ("def f := 1 -- + 1\n/-- another constructor -/ | other", False),
        ("def f := 1 -- + 1\n#f", False),
    ],
)
def test_definitions_are_compared_line_by_line_and_end_where_they_ended(proof: str, begins: bool) -> None:
    assert begins_with(proof, own_definitions("def f := 1 -- + 1\ntheorem t : f = 1 := sorry")) is begins
