"""What the core library must be able to prove, and that it proves it honestly."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import workers.embedded
from tests.integration.embedded.repl import Repl

_CORE = Path(workers.embedded.__file__).parent / "core"
_STANDARD_AXIOMS = {"propext", "Classical.choice", "Quot.sound"}


@pytest.fixture(scope="module")
def core() -> Iterator[Repl]:
    with Repl() as repl:
        yield repl


def _problems(repl: Repl, code: str) -> list[str]:
    messages = repl.ask(cmd=code).get("messages", [])
    return [message["data"] for message in messages if message["severity"] == "error" or "sorry" in message["data"]]


@pytest.mark.parametrize(
    "code",
    [
        # Tactics, one by one.
        "example (p q : Prop) (hp : p) (hq : q) : p ∧ q := by constructor <;> assumption",
        "example (p q : Prop) (h : p ∨ q) : q ∨ p := by cases h with | inl h => exact .inr h | inr h => exact .inl h",
        "example (p q : Prop) : (p ∨ q) → q ∨ p := by rintro (h | h) <;> simp [h]",
        "example (p q : Prop) (h : p ∧ q) : q := by obtain ⟨_, hq⟩ := h; exact hq",
        "example (n : Nat) : 0 + n = n := by induction n with | zero => rfl | succ n ih => rw [← Nat.add_assoc, ih]",
        "example (a b c : Nat) (h : a = b) (k : b = c) : a = c := by rw [h, k]",
        "example (a b : Nat) (h : a = b) : b = a := by subst h; rfl",
        "example (a b : Nat) (h : a + 1 = b + 1) : a = b := by injection h",
        "example (a b : Nat) (h : a + 1 = b + 1) : a = b := by simpa using h",
        "example (a b : Nat) (h : a = 2) (k : b = a) : b = 2 := by simp_all",
        "example (h : (1 : Nat) = 2) : False := by contradiction",
        "example : ∃ n : Nat, n * n = 49 := by exists 7",
        "example : 17 * 19 = 323 ∧ ¬(3 ∣ 10) := by decide",
        "example : 123456789 * 987654321 = 121932631112635269 := by decide +kernel",
        "example (p : Prop) : p ∨ ¬p := by by_cases h : p <;> simp [h]",
        "example (p : Prop) (h : ¬¬p) : p := by apply Classical.byContradiction; exact h",
        "example (f g : Nat → Nat) (h : ∀ x, f x = g x) : f = g := by funext x; exact h x",
        "example (f g : Nat → Nat) (h : ∀ x, f x = g x) : f = g := by ext x; exact h x",
        "example (p : Prop) [Decidable p] : (if p then 1 else 1) = 1 := by split <;> rfl",
        "example (a b : Nat) : a + b = b + a := by conv => lhs; rw [Nat.add_comm]",
        "example (a b c : Nat) (h : a < b) (k : b < c) : a < c := by exact?",
        "example (a b c : Nat) (h : a < b) (k : b ≤ c) : a < c := calc\n  a < b := h\n  _ ≤ c := k",
        "example (a b : Nat) (f : Nat → Nat) (h : a = b) : f a = f b := by congr",
        "example (a : Nat) (h : 0 < a) : a ≠ 0 := by rintro rfl; contradiction",
        "example (f : Nat → Nat) (h : ∀ n, f n = 0) : f 3 + 1 = 1 := by specialize h 3; rw [h]",
        "example (f : Nat → Nat) (h : f 2 = 3) : f 2 + 1 = 4 := by generalize f 2 = x at h ⊢; rw [h]",
        "example (p q r : Prop) (hp : p) (f : p → q) (g : q → r) : r := by suffices h : q from g h; exact f hp",
        "example : (3 : Fin 5) ≠ 2 ∧ 'a' ≠ 'b' ∧ \"a\" ≠ \"b\" := by decide",
        "example : ∀ n, n < 20 → n * n < 400 := by decide",
        "example (xs : List Nat) : (xs.map id).reverse.reverse = xs := by simp",
        "example (a b c : Nat) (h : a + 2 ≤ 5) : a ≤ 3 := by simpa using h",
        "example : (3 : Int) - 5 = -2 ∧ Int.natAbs (-37) = 37 := by decide",
        "example : (-3 : Int) < 5 := by simp",
        "example (a b c : Nat) : a + b + c = c + (b + a) := by ac_rfl",
        "example (a b c : Nat) (f : Nat → Nat) : f (a * b * c) = f (c * b * a) := by ac_nf",
        # Commands.
        "inductive T | a | b (n : Nat) deriving DecidableEq\nexample : T.a ≠ .b 1 := by decide",
        "structure Q where\n  x : Nat\n  deriving Repr, DecidableEq, Inhabited\n#eval (default : Q)",
        "structure P where (x y : Nat)\nexample (p : P) : p = ⟨p.x, p.y⟩ := rfl",
        "class C (α : Type) extends Add α where zero : α\ninstance : C Nat := ⟨0⟩",
        "mutual\ndef e : Nat → Bool | 0 => true | n + 1 => o n\ndef o : Nat → Bool | 0 => false | n + 1 => e n\nend",
        """
def count (n : Nat) : Nat := if h : n = 0 then 0 else count (n - 1) + 1
termination_by n
decreasing_by exact Nat.sub_lt (Nat.pos_of_ne_zero h) (by decide)
example : count 0 = 0 := by rw [count]; rfl
""",
        """
def f (x n : Nat) : Nat := match n with | 0 => x | n + 1 => f (x + n) n
termination_by n
example : f 1 0 = 1 := by rw [f]
""",
        "variable (p : Prop)\nexample (h : p) : p := h",
        "open Classical in\nexample (p : Prop) : (if p then 1 else 1) = 1 := by simp",
        "import Init\n\nexample : 1 = 1 := rfl",
    ],
)
def test_what_newcomers_write_works(core: Repl, code: str) -> None:
    assert _problems(core, code) == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("#eval 2 ^ 10", "1024"),
        ("#eval [1, 2, 3].map (· * 2)", "[2, 4, 6]"),
        ('#eval (some "a", (3 : Int) - 5)', '(some "a", -2)'),
        ("#eval decide (3 < 4)", "true"),
        ("#reduce 2 + 2", "4"),
        ("#check Nat.add_comm", "Nat.add_comm (n m : Nat) : n + m = m + n"),
        ("structure P where\n  x : Nat\n  deriving Repr\n#eval P.mk 1", "{ x := 1 }"),
    ],
)
def test_what_lean_tells_is_what_it_always_tells(core: Repl, command: str, told: str) -> None:
    assert [message["data"] for message in core.ask(cmd=command)["messages"]] == [told]


def _theorems(text: str) -> Iterator[str]:
    """The theorems of a source file by their full names; a heading is a line, as everywhere in the core."""
    scopes: list[str] = []
    for line in text.splitlines():
        if match := re.match(r"(?:namespace|(section)) ?(\S*)", line):
            scopes.append("" if match[1] else match[2])
        elif re.match(r"end\b(?! )|end [A-Z]", line) and scopes:
            scopes.pop()
        elif (match := re.match(r"(?:@\[[^\]]*\] )?(?:protected )?theorem ([^\s:({\[]+)", line)) is not None:
            name = match[1].split(".{")[0]
            yield (
                name.removeprefix("_root_.") if name.startswith("_root_.") else ".".join([*filter(None, scopes), name])
            )


def test_the_core_s_theorems_rest_on_the_standard_axioms_alone(core: Repl) -> None:
    names = [name for path in sorted(_CORE.rglob("*.lean")) for name in _theorems(path.read_text())]
    assert len(names) > 800
    reply = core.ask(cmd="\n".join(f"#print axioms {name}" for name in names))
    told = [message["data"] for message in reply["messages"]]
    assert len(told) == len(names)
    for text in told:
        match = re.fullmatch(r"'(.*)' (?:does not depend on any axioms|depends on axioms: \[(.*)\])", text, re.DOTALL)
        assert match is not None, text
        assert set(re.split(r",\s*", match[2]) if match[2] else []) <= _STANDARD_AXIOMS, text


def test_the_core_declares_no_axiom_that_a_theorem_could_use() -> None:
    """The syntax layer's axioms are data of the parser; what a file could reason from is these."""
    text = "\n".join(path.read_text() for path in _CORE.rglob("*.lean"))
    assert set(re.findall(r"(?m)^axiom (\S+)", text)) == {*_STANDARD_AXIOMS, "sorryAx"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("theorem t : 2 + 2 = 5 := by decide", "is false"),
        ("theorem t (a b : Nat) : a + b = b + a := by rfl", "rfl` failed"),
        ("theorem t (p q : Prop) (h : p) : p ∧ q := by constructor; exact h", "unsolved goals"),
        ("theorem t : False := by trivial", "failed"),
        ("theorem t (n : Nat) : n < n := Nat.lt_succ_self n", "Type mismatch"),
        ("import Mathlib", "Mathlib"),
    ],
)
def test_what_is_false_or_not_there_is_refused(core: Repl, code: str, told: str) -> None:
    problems = _problems(core, code) or [str(core.ask(cmd=code))]
    assert any(told in problem for problem in problems), problems
