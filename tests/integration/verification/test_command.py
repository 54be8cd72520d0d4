"""The weaker way, for a REPL that exports no constants: here real Lean behind the community REPL's protocol."""

import pytest

from producer.judgement import Strength, Verdict
from producer.outcome import Outcome
from tests.integration.verification.conftest import Start, verify
from workers.verification.definitions import begins_with, own_definitions
from workers.verification.errors import StatementError
from workers.verification.forbidden import forbidden_commands

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


SHADOWS = """set_option pp.fullNames false
namespace N
inductive Eq.{u} {α : Sort u} : α → α → Prop | refl (a b : α) : Eq a b
theorem _root_.t : @Eq Nat 1 2 := .refl 1 2
"""


async def test_what_the_list_of_commands_does_not_know_cannot_answer_for_lean(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the proof was run, its theorem is printed as the statement is, letter by letter."""
    monkeypatch.setattr("workers.verification.verifier.forbidden_commands", lambda _: ())
    async with start(adapter="community") as executor:
        result = await verify(executor, SHADOWS, "theorem t : 1 = 2 := sorry")
    assert result.reasons == ("statement_mismatch: t proves something else than the statement",)


async def test_a_redefinition_shows_also_where_the_text_hides_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.verification.command.begins_with", lambda *_: True)
    claim = "theorem t : g = 4 := "
    definitions = "def f (n : Nat) : Nat := n + 1\nstructure S where\n  x : Nat\ndef g : Nat := f (S.mk 1).x\n"
    async with start(adapter="community") as executor:
        for old, new, name in (("n + 1", "n + 3", "f"), ("  x : Nat", "  x : Nat\n  y : Nat := 0", "S")):
            result = await verify(
                executor, definitions.replace(old, new) + claim + "rfl", definitions + claim + "sorry"
            )
            assert result.verdict is Verdict.NOT_PROVED
            assert any(f"{name} is defined otherwise" in each or "lean_error" in each for each in result.reasons), name


async def test_types_are_compared_by_the_kernel_and_not_as_text(start: Start) -> None:
    async with start(adapter="community") as executor:
        assert (await verify(executor, "theorem t (m : Nat) : m < m.succ := Nat.lt_succ_self m", STATEMENT)).is_proved
        statement = "theorem t {α : Type} (a : α) : a = a := sorry"
        more_general = "theorem t.{u} {α : Type u} (a : α) : a = a := rfl"
        reasons = (await verify(executor, more_general, statement)).reasons
        assert reasons == ("statement_mismatch: t has other universe levels than the statement",)


async def test_scopes_that_a_text_leaves_open_are_closed_for_it(start: Start) -> None:
    async with start(adapter="community") as executor:
        for scope in ("namespace A.B\n", "section\n", "noncomputable section C\nopen Nat\n", "open Nat\n"):
            statement, proof = (scope + text.replace("theorem t", "theorem _root_.t") for text in (STATEMENT, PROOF))
            assert (await verify(executor, proof, STATEMENT)).is_proved, scope
            assert (await verify(executor, proof, statement)).is_proved, scope


async def test_an_axiom_that_may_be_used_must_be_the_statements_or_the_headers(start: Start) -> None:
    given = "axiom given : 1 = 2\n"
    claim = "theorem t : 2 = 1 := "
    async with start(adapter="community") as executor:
        result = await verify(executor, given + claim + "given.symm", given + claim + "sorry", allowed_axioms=["given"])
        assert result.is_proved
        for statement in ("", claim + "sorry"):
            result = await verify(executor, given + claim + "given.symm", statement, allowed_axioms=["given"])
            assert result.reasons == ("forbidden_axiom: given",)


async def test_without_a_statement_no_theorem_is_hidden_from_the_reader(start: Start) -> None:
    two = "axiom z : 1 = 2\ntheorem B.a : 1 = 1 := rfl\n"
    async with start(adapter="community") as executor:
        result = await verify(executor, f'{two}/--/ " -/\ntheorem a : 1 = 2 := z\ndef d := "x"')
        assert result.reasons == ("forbidden_axiom: z",)
        result = await verify(executor, f'{two}#check "{{"\n-- namespace B\ntheorem a : 1 = 2 := z\n-- end B')
        assert result.reasons[0].startswith("kernel_rejected: its theorems' names cannot be told")


async def test_what_is_too_large_to_be_carried_over_is_not_proved(start: Start) -> None:
    async with start(adapter="community", max_pickle_bytes=100) as executor:
        result = await verify(executor, PROOF)
        assert result.reasons[0].startswith(
            "kernel_rejected: the proof cannot be pickled: a pickle of more than 100 bytes"
        )
        result = await verify(executor, PROOF, STATEMENT)
        assert (result.outcome, result.verdict) == (Outcome.INVALID_REQUEST, Verdict.ERROR)


async def test_nothing_can_be_verified_where_no_environment_is_kept(start: Start) -> None:
    async with start(adapter="pantograph") as executor:
        for statement in ("", STATEMENT):
            result = await verify(executor, PROOF, statement)
            assert (result.outcome, result.verdict) == (Outcome.INVALID_REQUEST, Verdict.ERROR)
            assert "keeps no environment" in result.reason


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
        ('binder_predicate x " ≻ " y => `($x > $y)', ["binder_predicate"]),
        ("register_option pp.o : Nat := { defValue := 1 }", ["register_option"]),
        ("def c := 1macro", ["macro"]),
        ("def c := p.1notation", ["notation"]),
        ("def c := 'a'macro", ["macro"]),
        ("def c := x⁻¹macro", ["macro"]),
        ("def c := «x»macro", ["macro"]),
        ("def c := Nat.zero#eval 1", ["#eval"]),
        ("def c := x#exit", ["#exit"]),
        ("open _root_.Lean\ndef c := 1", ["open _root_.Lean"]),
        ("open Nat _root_.«Lean»", ["open Nat _root_.Lean", "open Nat _root_. Lean"]),
        ("#guard f 1", ["#guard"]),
        ("#guard_msgs in\n#check iO.x", []),
        ("theorem u : f = 1 := by decide +native", ["+native"]),
        ("theorem u : f = 1 := by decide (config := { native := true }) -- native", ["native"]),
        ("def f : Nat := match IO.FS.writeFile p x () with | _ => 1", ["IO.FS"]),
        ("open System IO in\ndef f := g", ["open System"]),
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
        ("def f := 1 -- + 1\n-- first,\n/- a lemma -/\n-- :\n/-- of `f` -/\ntheorem t : f = 1 := rfl", True),
        ("def f := 1 -- + 1\n-- first\n  + 1", False),
        ("def f := 1 -- + 1\n/- first -/ private g : Nat", False),
        ("def f := 1 -- + 1\n/- /- first -/\ntheorem -/ + 1", False),
        ("def f := 1 -- + 1\n/-- another constructor -/ | other", False),
        ("def f := 1 -- + 1\n#f", False),
    ],
)
def test_definitions_are_compared_line_by_line_and_end_where_they_ended(proof: str, begins: bool) -> None:
    assert begins_with(proof, own_definitions("def f := 1 -- + 1\ntheorem t : f = 1 := sorry")) is begins
