"""Tactic mode: one native step after another, and what becomes of the proof."""

import pytest

from tests.integration.embedded.repl import Json, Repl


def start(repl: Repl, theorem: str) -> int:
    """A proof state at the sorry of a theorem."""
    reply = repl.ask(cmd=theorem)
    number: int = reply["sorries"][0]["proofState"]
    return number


def test_a_proof_is_completed_step_by_step(repl: Repl) -> None:
    start(repl, "theorem t (p q r : Prop) (h : p ∧ q) (f : q → r) : p ∧ r := by sorry")
    assert repl.ask(tactic="apply And.intro", proofState=0) == {
        "proofState": 1,
        "goals": [
            "case left\np q r : Prop\nh : p ∧ q\nf : q → r\n⊢ p",
            "case right\np q r : Prop\nh : p ∧ q\nf : q → r\n⊢ r",
        ],
        "proofStatus": "Incomplete: open goals remain",
    }
    assert len(repl.ask(tactic="exact h.left", proofState=1)["goals"]) == 1
    assert repl.ask(tactic="exact f h.right", proofState=2) == {
        "proofState": 3,
        "goals": [],
        "proofStatus": "Completed",
    }


def test_a_state_can_be_branched(repl: Repl) -> None:
    start(repl, "theorem t (p q : Prop) (hp : p) (hq : q) : p ∨ q := by sorry")
    assert repl.ask(tactic="exact Or.inl hp", proofState=0)["proofStatus"] == "Completed"
    assert repl.ask(tactic="exact Or.inr hq", proofState=0)["proofStatus"] == "Completed"


def test_a_failed_tactic_takes_no_number(repl: Repl) -> None:
    start(repl, "theorem t (p q : Prop) (hp : p) : q := by sorry")
    assert repl.ask(tactic="exact hp", proofState=0) == {
        "message": "Lean error:\nType mismatch\n  hp\nhas type\n  p\nbut is expected to have type\n  q"
    }
    assert repl.ask(tactic="skip", proofState=0)["proofState"] == 1


def test_a_tactic_that_does_not_parse_is_a_lean_error(repl: Repl) -> None:
    start(repl, "theorem t : True := by sorry")
    assert repl.ask(tactic="exact )", proofState=0) == {"message": "Lean error:\n<input>:1:6: expected term"}


def test_an_error_that_a_tactic_recovers_from_is_a_message_without_a_place(repl: Repl) -> None:
    start(repl, "theorem t : True := by sorry")
    assert repl.ask(tactic="apply nonsense", proofState=0) == {
        "proofState": 1,
        "goals": [],
        "messages": [
            {
                "severity": "error",
                "pos": {"line": 0, "column": 0},
                "endPos": {"line": 0, "column": 0},
                "data": "Unknown identifier `nonsense`",
            }
        ],
        "proofStatus": "Incomplete: contains sorry",
    }


def test_a_sorry_completes_nothing(repl: Repl) -> None:
    start(repl, "theorem t : 1 = 2 := by sorry")
    assert repl.ask(tactic="sorry", proofState=0) == {
        "sorries": [{"proofState": 1, "goal": "⊢ 1 = 2"}],
        "proofState": 2,
        "goals": [],
        "proofStatus": "Incomplete: contains sorry",
    }


@pytest.mark.parametrize("proof", ["sorry", "by sorry"])
def test_a_sorry_inside_a_step_is_a_new_state_without_a_range(repl: Repl, proof: str) -> None:
    start(repl, "theorem t (n : Nat) : n = n := by sorry")
    reply = repl.ask(tactic=f"have h : n = 1 := {proof}", proofState=0)
    assert reply == {
        "sorries": [{"proofState": 1, "goal": "n : Nat\n⊢ n = 1"}],
        "proofState": 2,
        "goals": ["n : Nat\nh : n = 1\n⊢ n = n"],
        "proofStatus": "Incomplete: open goals remain",
    }
    assert repl.ask(tactic="rfl", proofState=2)["proofStatus"] == "Incomplete: contains sorry"


def test_term_mode_sorries_are_proved_in_tactic_mode(repl: Repl) -> None:
    start(repl, "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨sorry, hq⟩")
    assert repl.ask(tactic="assumption", proofState=0)["proofStatus"] == "Completed"


def test_instances_in_the_hypotheses_are_found_at_a_term_mode_sorry(repl: Repl) -> None:
    code = "class Good (α : Type) : Prop where\n  good : True\ntheorem t (α : Type) [Good α] : Good α := sorry"
    start(repl, code)
    assert repl.ask(tactic="infer_instance", proofState=0)["proofStatus"] == "Completed"


def test_a_proof_cannot_use_the_theorem_itself(repl: Repl) -> None:
    start(repl, "theorem liar : False := sorry")
    reply = repl.ask(tactic="exact liar", proofState=0)
    assert reply["goals"] == []
    assert reply["proofStatus"].startswith("Error: kernel type check failed: (kernel) declaration has free variables")


def test_open_metavariables_complete_nothing(repl: Repl) -> None:
    start(repl, "example : 1 = 0 := sorry")
    repl.ask(tactic="cases 1", proofState=0)
    repl.ask(tactic="rfl", proofState=1)
    assert repl.ask(tactic="apply ?succ", proofState=2) == {
        "proofState": 3,
        "goals": [],
        "proofStatus": "Incomplete: contains metavariable(s)",
    }


def test_several_goals_to_start_with_are_not_verified(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem t : True ∧ True := by\n  constructor\n  all_goals trivial", allTactics=True)
    step = next(t for t in reply["tactics"] if t["tactic"].startswith("all_goals"))
    done = repl.ask(tactic="all_goals trivial", proofState=step["proofState"])
    assert done["proofStatus"] == "Not verified: more than one initial goal"


def test_universe_levels_of_the_statement_may_be_open(repl: Repl) -> None:
    start(repl, "theorem t {α : Sort _} (a : α) : a = a := by sorry")
    assert repl.ask(tactic="exact rfl", proofState=0)["proofStatus"] == "Completed"


@pytest.mark.parametrize(
    "block",
    [
        "intro p hp\nexact hp",  # a line each
        "intro p hp; exact hp",  # a semicolon
        "intro p\nintro hp\n\nexact hp\n",  # blank lines
        "(intro p hp\n exact hp)",  # parenthesised by the caller
    ],
)
def test_several_tactics_can_be_one_step(repl: Repl, block: str) -> None:
    start(repl, "theorem t : ∀ p : Prop, p → p := by sorry")
    assert repl.ask(tactic=block, proofState=0)["proofStatus"] == "Completed"


def test_structured_blocks_can_be_one_step(repl: Repl) -> None:
    start(repl, "theorem t (p q : Prop) (h : p ∨ q) : q ∨ p := by sorry")
    block = "cases h with\n| inl hp =>\n  apply Or.inr\n  exact hp\n| inr hq => exact Or.inl hq"
    assert repl.ask(tactic=block, proofState=0)["proofStatus"] == "Completed"


def test_hypotheses_of_hypotheses_are_abstracted(repl: Repl) -> None:
    start(repl, "theorem t (α : Type) (P : α → Prop) (a b : α) (e : a = b) (h : P a) : P b := by sorry")
    assert repl.ask(tactic="exact e ▸ h", proofState=0)["proofStatus"] == "Completed"


def test_a_definition_of_the_same_request_can_be_used(repl: Repl) -> None:
    start(repl, "def seven : Nat := 7\ntheorem t : seven = 7 := by sorry")
    assert repl.ask(tactic="rfl", proofState=0)["proofStatus"] == "Completed"


def test_a_loop_of_steps_gives_the_same_answer_each_time(repl: Repl) -> None:
    start(repl, "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry")
    replies: list[Json] = [repl.ask(tactic="exact ⟨h.2, h.1⟩", proofState=0) for _ in range(200)]
    assert {r["proofStatus"] for r in replies} == {"Completed"}
    assert [r["proofState"] for r in replies] == list(range(1, 201))


def test_unknown_proof_states_are_soft_errors(repl: Repl) -> None:
    assert repl.ask(tactic="rfl", proofState=0) == {"message": "Unknown proof state."}
    assert repl.ask(proofState=0, pickleTo="/nowhere") == {"message": "Unknown proof State."}


def test_traces_of_a_step_are_listed(repl: Repl) -> None:
    start(repl, "set_option trace.Meta.Tactic.simp.rewrite true\ntheorem t (n : Nat) : n + 0 = n := by sorry")
    reply = repl.ask(tactic="simp", proofState=0)
    assert reply["proofStatus"] == "Completed"
    assert any("Nat.add_zero" in trace for trace in reply["traces"])
