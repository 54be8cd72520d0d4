"""Exporting constants from one process and judging them in another."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.embedded.repl import Json, Repl
from workers.embedded.audit import KERNELS_OWN

TREE = """
inductive Tree | leaf | node (l r : Tree)
def Tree.size : Tree → Nat | leaf => 1 | node l r => l.size + r.size
"""
POSITIVE = TREE + "theorem positive (t : Tree) : 0 < t.size := "
PROOF = """by
  induction t with
  | leaf => exact Nat.zero_lt_one
  | node l r a b => exact Nat.add_pos_left a _
"""


class Auditor:
    """A candidate's process and a clean one, both at the header."""

    def __init__(self, candidate: Repl, clean: Repl) -> None:
        self.candidate = candidate
        self.clean = clean
        assert candidate.ask(cmd="") == clean.ask(cmd="") == {"env": 0}

    def export(self, code: str, *names: str, as_goals: bool = False) -> Json:
        env = self.candidate.ask(cmd=code, env=0)["env"]
        wanted = {"names": list(names), "header": 0, "asGoals": as_goals}
        return self.candidate.ask(env=env, exportConstants=wanted)

    def judge(self, candidate: Json, name: str, statement: Json | None = None) -> Json:
        wanted = {"theorems": [[name, candidate["found"][0]]], "candidate": candidate["constants"]}
        if statement is not None:
            wanted["statement"] = statement["constants"]
        return self.clean.ask(env=0, auditConstants=wanted)

    def audit(self, code: str, name: str, statement: str = "") -> Json:
        goal = self.export(statement, name, as_goals=True) if statement else None
        return self.judge(self.export(code, name), name, goal)


@pytest.fixture(scope="module")
def auditor() -> Iterator[Auditor]:
    with Repl() as candidate, Repl() as clean:
        yield Auditor(candidate, clean)


def found(name: str, kind: str = "theorem", axioms: tuple[str, ...] = (), declared: tuple[str, ...] = ()) -> Json:
    return {"theorems": [{"name": name, "kind": kind, "axioms": list(axioms), "declared": list(declared)}]}


def test_a_theorem_is_checked_again_with_all_that_it_rests_on(auditor: Auditor) -> None:
    assert auditor.audit(POSITIVE + PROOF, "positive", POSITIVE + "sorry") == found("positive")


@pytest.mark.parametrize(
    "declarations",
    [
        (
            "mutual\ninductive Even : Nat → Prop | zero : Even 0 | next n : Odd n → Even (n + 1)\n"
            "inductive Odd : Nat → Prop | next n : Even n → Odd (n + 1)\nend\ntheorem t : Odd 1 := .next 0 .zero"
        ),
        (
            "inductive Rose (α : Type) | node : α → List (Rose α) → Rose α\n"
            "theorem t : ∃ r : Rose Nat, r = r := ⟨.node 1 [], rfl⟩"
        ),
        (
            "structure Pair.{u, v} (α : Type u) (β : Type v) where (fst : α) (snd : β)\n"
            "theorem t (p : Pair Nat Nat) : p = ⟨p.fst, p.snd⟩ := rfl"
        ),
        "theorem t : 2 ^ 200 = 1606938044258990275541962092341162602522202993782792835301376 := by decide",
        'theorem t : "a\\n∀\\"" = "a\\n∀\\"" := rfl',
        "private theorem t.{u} (α : Sort u) (a b : α) (h : a = b) : b = a := let c := a; have : c = b := h; this.symm",
        "opaque secret : Nat\ntheorem t : secret = secret := rfl",
    ],
)
def test_every_kind_of_constant_survives_the_way(auditor: Auditor, declarations: str) -> None:
    assert auditor.audit(declarations, "t") == found("t")


def test_axioms_are_found_and_told_apart_by_who_declared_them(auditor: Auditor) -> None:
    code = "axiom mine : 1 = 2\ntheorem helper : 1 = 2 := mine\ntheorem t (p : Prop) : 1 = 2 ∧ (p ∨ ¬p) := "
    classical = ("Classical.choice", "Quot.sound", "mine", "propext")
    assert auditor.audit(code + "⟨helper, Classical.em p⟩", "t") == found("t", "theorem", classical, ("mine",))
    assert auditor.audit("axiom mine : 1 = 2", "mine") == found("mine", "axiom", ("mine",), ("mine",))
    assert auditor.audit("theorem t : 1 = 2 := sorry", "t") == found("t", "theorem", ("sorryAx",))


def test_what_was_not_declared_is_not_found(auditor: Auditor) -> None:
    assert auditor.export("", "nothing", "Nat.add_comm")["found"] == [None, None]
    assert auditor.audit("", "nothing") == {"theorems": [{"name": "nothing", "kind": ""}]}


@pytest.mark.parametrize(
    ("statement", "code", "says"),
    [
        ("theorem t (n : Nat) : n < n + 1", "theorem t (n : Nat) : n < n + 2", "t proves something else"),
        ("theorem t.{u} (α : Sort u) (a : α) : a = a", "theorem t (α : Type) (a : α) : a = a", "universe levels"),
        (TREE + "theorem t : Tree.leaf.size = 1", TREE.replace("=> 1", "=> 0 + 1") + "theorem t : 1 = 1", None),
        (
            "def f (n : Nat) := n + 1\ntheorem t : ∀ n, f n ≠ 0",
            "def f (n : Nat) := n + 2\ntheorem t : ∀ n, f n ≠ 0",
            "f is defined otherwise",
        ),
        (
            "def f (n : Nat) := n + 1\ntheorem t : ∀ n, f n ≠ 0",
            "theorem f (n : Nat) : True := True.intro\ntheorem t : True := f 0",
            "f is a theorem and a definition in the statement",
        ),
        (
            "inductive T | a | b\ntheorem t : ∀ x y : T, x = y",
            "inductive T | a\ntheorem t : ∀ x y : T, x = y",
            "T has other constructors",
        ),
    ],
)
def test_a_candidate_that_is_not_the_statement_is_found_out(
    auditor: Auditor, statement: str, code: str, says: str | None
) -> None:
    found = auditor.audit(code + " := sorry", "t", statement + " := sorry")
    if says is None:
        assert "theorems" in found
    else:
        assert says in found["mismatch"]


def test_definitions_may_be_written_in_another_way_when_the_kernel_sees_no_difference(auditor: Auditor) -> None:
    statement = "def f (n : Nat) := n + 1\ntheorem t : f 1 = 2 := sorry"
    assert auditor.audit("def f := fun n => Nat.succ n\ntheorem t : f 1 = 2 := rfl", "t", statement) == found("t")


def test_a_constant_that_the_kernel_refuses_is_named(auditor: Auditor) -> None:
    forged = auditor.export("theorem lie : 1 = 1 := rfl", "lie")
    *_, type_, _ = forged["constants"]["constants"][0]
    forged["constants"]["constants"][0][-1] = type_
    assert auditor.judge(forged, "lie")["rejected"].startswith("lie: ")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"names": [], "levels": [], "expressions": [[5, 0, 0]], "constants": []},
        {"names": [], "levels": [], "expressions": [[0, -1]], "constants": []},
        {"names": [], "levels": [], "expressions": [[0, 1 << 40]], "constants": []},
        {"names": [], "levels": [], "expressions": [[0, (1 << 20) - 1]], "constants": []},
        {"names": [["t"]], "levels": [], "expressions": [], "constants": [["inductive", 0, [], False, 0, []]]},
        {
            "names": [["t"], ["u"]],
            "levels": [[0]],
            "expressions": [[3, 0]],
            "constants": [["inductive", 0, [], False, 0, [[1, 0, []]]]],
        },
        {"names": [], "levels": [], "expressions": [[1, 0]], "constants": []},
        {"names": [[1.5]], "levels": [], "expressions": [], "constants": []},
        {"names": [["t"]], "levels": [[1]], "expressions": [], "constants": []},
        {"names": [["t"]], "levels": [[0]], "expressions": [[3, 0]], "constants": [["theorem", 0, [], False, 0]]},
        {"names": [["t"]], "levels": [[0]], "expressions": [[3, 0]], "constants": [["spell", 0, [], False, 0]]},
        {"names": [["t"]], "levels": [[0]], "expressions": [[9, 0, "12x"]], "constants": []},
        {"names": [["t"]], "levels": [[0]], "expressions": [[3, 0]], "constants": [["goal", 0, [], False, 0]]},
    ],
)
def test_data_that_are_no_export_are_refused(auditor: Auditor, data: Any) -> None:
    assert "message" in auditor.clean.ask(env=0, auditConstants={"theorems": [["t", 0]], "candidate": data})


def test_no_name_passes_for_another_ones(auditor: Auditor) -> None:
    """A lone surrogate becomes another character in Lean: an axiom would be used under a name that is unknown."""
    data: Json = {
        "names": [["t"], ["axiom\ud800"], ["False"]],
        "levels": [],
        "expressions": [[4, 2], [4, 1]],
        "constants": [["axiom", 1, [], False, 0], ["theorem", 0, [], False, 0, 1]],
    }
    wanted = {"theorems": [["t", 0]], "candidate": data}
    assert "no export" in auditor.clean.ask(env=0, auditConstants=wanted)["message"]
    data["names"][1] = ["axiom?"]
    assert auditor.clean.ask(env=0, auditConstants=wanted) == found("t", axioms=("axiom?",), declared=("axiom?",))


@pytest.mark.parametrize("key", sorted(KERNELS_OWN), ids=".".join)
def test_what_the_kernel_evaluates_by_name_cannot_be_declared(auditor: Auditor, key: tuple[str, ...]) -> None:
    names = [["t"], ["True"], ["True", "intro"], list(key)]
    declared = ["def", 3, [], False, 0, 1, -2]
    theorem = ["theorem", 0, [], False, 0, 2]
    data = {
        "names": names,
        "levels": [],
        "expressions": [[4, 1], [4, 2], [4, 3]],
        "constants": [declared, theorem],
    }
    reply = auditor.clean.ask(env=0, auditConstants={"theorems": [["t", 0]], "candidate": data})
    assert "a meaning of the kernel's own" in reply["rejected"]


def test_axioms_behind_a_recursor_alone_are_found(auditor: Auditor) -> None:
    code = """
axiom cheat : 1 = 2
inductive Box : (1 = 2) → Type | mk : Box cheat
theorem t : ∀ (motive : (h : 1 = 2) → Box h → Prop) (_ : motive cheat .mk) (h : 1 = 2) (b : Box h), motive h b :=
  fun motive one h b => @Box.rec motive one h b
"""
    [theorem] = auditor.audit(code, "t")["theorems"]
    assert theorem["axioms"] == ["cheat"]


def test_damaged_exports_harm_nobody_and_prove_nothing_new(auditor: Auditor) -> None:
    """An export that was changed anywhere is refused, or is one that the kernel accepts; the process lives on."""
    rng = random.Random(7)
    statement = auditor.export(POSITIVE + "sorry", "positive", as_goals=True)
    export = auditor.export(POSITIVE + PROOF, "positive")
    text = json.dumps(export["constants"])
    for _ in range(300):
        damaged = json.loads(text)
        _damage(damaged, rng)
        wanted = {"theorems": [["positive", 0]], "candidate": damaged, "statement": statement["constants"]}
        reply = auditor.clean.ask(env=0, auditConstants=wanted)
        assert len(reply) == 1
        assert reply.keys() <= {"theorems", "rejected", "mismatch", "message"}
    assert auditor.judge(export, "positive", statement) == found("positive")


def _damage(data: Any, rng: random.Random) -> None:
    at = data[rng.choice(list(data))]
    while True:
        place = rng.randrange(len(at))
        if isinstance(at[place], list) and at[place] and rng.random() < 0.8:
            at = at[place]
            continue
        at[place] = rng.choice([0, 1, 2, 3, rng.randrange(200), -1, "x", None, True, [], [0], 1 << 70, at[place - 1]])
        return
