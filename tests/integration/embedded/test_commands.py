"""Commands: replies with positions, messages, sorries and tactics exactly as the community REPL gives them."""

from pathlib import Path

import pytest

from tests.integration.embedded.repl import Json, Repl


def warning(line: int, column: int, end: int, data: str = "declaration uses `sorry`") -> Json:
    return {
        "severity": "warning",
        "pos": {"line": line, "column": column},
        "endPos": {"line": line, "column": end},
        "data": data,
    }


def test_a_proved_theorem_is_answered_with_its_environment_alone(repl: Repl) -> None:
    assert repl.ask(cmd="theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩") == {"env": 0}
    assert repl.ask(cmd="theorem twice (p q : Prop) (h : p ∧ q) : p ∧ q := swap q p (swap p q h)", env=0) == {"env": 1}


def test_each_command_without_env_starts_afresh(repl: Repl) -> None:
    repl.ask(cmd="def two : Nat := 2")
    reply = repl.ask(cmd="#check two")
    assert reply["env"] == 1
    assert [m["data"] for m in reply["messages"]] == ["Unknown identifier `two`"]


def test_an_environment_can_be_branched(repl: Repl) -> None:
    repl.ask(cmd="def base : Nat := 0")
    assert repl.ask(cmd="def one : Nat := 1", env=0) == {"env": 1}
    assert repl.ask(cmd="def one : Nat := 2", env=0) == {"env": 2}
    assert repl.ask(cmd="example : one = 1 := rfl", env=1) == {"env": 3}
    assert repl.ask(cmd="example : one = 2 := rfl", env=2) == {"env": 4}


def test_an_error_has_its_range_in_lines_from_one_and_columns_from_zero_in_characters(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem ℕℕ (p : Prop) : p := by\n  exact «π»")
    assert reply["messages"] == [
        {
            "severity": "error",
            "pos": {"line": 2, "column": 8},
            "endPos": {"line": 2, "column": 11},
            "data": "Unknown identifier `π`",
        }
    ]


def test_crlf_line_ends_do_not_move_positions(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem a : True := by\r\n  trivial\r\n\r\nexample : False := by\r\n  sorry")
    assert reply["messages"] == [warning(4, 0, 7)]
    assert reply["sorries"][0]["pos"] == {"line": 5, "column": 2}


def test_a_syntax_error_is_a_message(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem a : True := by trivial )")
    (message,) = reply["messages"]
    assert message["severity"] == "error"
    assert message["pos"] == {"line": 1, "column": 31}
    assert "expected command" in message["data"]


def test_a_message_without_an_end_says_null(repl: Repl) -> None:
    reply = repl.ask(cmd="import Nowhere.Land")
    (message,) = reply["messages"]
    assert message["severity"] == "error"
    assert message["pos"] == {"line": 1, "column": 0}
    assert message["endPos"] is None
    assert message["data"].startswith("unknown module prefix 'Nowhere'")
    assert reply["env"] == 0


def test_the_core_library_can_be_imported_by_name(repl: Repl) -> None:
    assert repl.ask(cmd="import Init\n\nexample : 1 + 1 = 2 := rfl") == {"env": 0}


def test_a_part_of_the_core_library_can_be_imported(repl: Repl) -> None:
    assert repl.ask(cmd="import Init.Prelude\n\nexample : 1 + 1 = 2 := rfl") == {"env": 0}
    reply = repl.ask(cmd="prelude\nimport Init.Prelude\n#check Nat")
    assert [m["data"] for m in reply["messages"]] == ["Nat : Type"]


def test_a_header_is_no_command_inside_an_environment(repl: Repl) -> None:
    repl.ask(cmd="def x : Nat := 0")
    reply = repl.ask(cmd="import Init", env=0)
    assert "invalid 'import' command" in reply["messages"][0]["data"]


def test_every_sorry_is_a_proof_state_with_its_goal_and_range(repl: Repl) -> None:
    reply = repl.ask(
        cmd="theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  · sorry\n  · exact sorry\n\n"
        "def n : Nat := sorry"
    )
    assert reply == {
        "env": 0,
        "messages": [warning(1, 8, 9), warning(6, 4, 5)],
        "sorries": [
            {
                "proofState": 0,
                "goal": "case left\np q : Prop\nhp : p\nhq : q\n⊢ p",
                "pos": {"line": 3, "column": 4},
                "endPos": {"line": 3, "column": 9},
            },
            {
                "proofState": 1,
                "goal": "p q : Prop\nhp : p\nhq : q\n⊢ q",
                "pos": {"line": 4, "column": 10},
                "endPos": {"line": 4, "column": 15},
            },
            {
                "proofState": 2,
                "goal": "⊢ Nat",
                "pos": {"line": 6, "column": 15},
                "endPos": {"line": 6, "column": 20},
            },
        ],
    }


def test_a_sorry_is_found_in_a_declaration_that_fails(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem t : 1 = 1 ∧ 2 = 3 := by\n  constructor\n  · sorry\n  · exact nonsense")
    assert [sorry["goal"] for sorry in reply["sorries"]] == ["case left\n⊢ 1 = 1"]
    assert any(m["severity"] == "error" for m in reply["messages"])


def test_the_word_sorry_in_a_comment_or_a_name_is_no_sorry(repl: Repl) -> None:
    assert repl.ask(cmd="-- sorry\ntheorem sorry_not : True := by /- sorry -/ trivial") == {"env": 0}


def test_variables_namespaces_and_options_last_into_the_next_request(repl: Repl) -> None:
    repl.ask(cmd="namespace A\nvariable (p : Prop)\nopen Nat\ndef here : Nat := 7\nset_option pp.all true")
    reply = repl.ask(cmd="theorem t (h : p) : p := h\n#check @t\n#check here", env=0)
    assert [m["data"] for m in reply["messages"]] == [
        "A.t : ∀ (p : Prop) (h : p), p",
        "A.here : Nat",
    ]
    assert repl.ask(cmd="end A\nexample : A.here = 7 := rfl", env=1) == {"env": 2}


def test_instances_and_simp_lemmas_last_into_the_next_request(repl: Repl) -> None:
    repl.ask(
        cmd="class Pointed (α : Type) where\n  point : α\ninstance : Pointed Nat := ⟨3⟩\n"
        "def f (n : Nat) : Nat := n\n@[simp] theorem f_eq (n : Nat) : f n = n := rfl"
    )
    assert repl.ask(cmd="example : Pointed.point + f 1 = 4 := by simp [Pointed.point]", env=0) == {"env": 1}


def test_messages_are_not_repeated_by_the_next_request(repl: Repl) -> None:
    repl.ask(cmd="#check Nat")
    assert repl.ask(cmd="def g : Nat := 0", env=0) == {"env": 1}


def test_inductive_types_structures_and_mutual_definitions_elaborate(repl: Repl) -> None:
    code = """
inductive Tree (α : Type) where
  | leaf : Tree α
  | node : Tree α → α → Tree α → Tree α

structure Point where
  x : Nat
  y : Nat

def Tree.mirror : Tree α → Tree α
  | .leaf => .leaf
  | .node l a r => .node r.mirror a l.mirror

theorem Tree.mirror_mirror (t : Tree α) : t.mirror.mirror = t := by
  induction t with
  | leaf => rfl
  | node l a r hl hr => simp [mirror, hl, hr]

mutual
inductive Even : Nat → Prop
  | zero : Even 0
  | step : Odd n → Even (n + 1)
inductive Odd : Nat → Prop
  | step : Even n → Odd (n + 1)
end

example : Even 2 := .step (.step .zero)
"""
    assert repl.ask(cmd=code) == {"env": 0}


def test_print_axioms_tells_sorry_and_nothing_of_the_core(repl: Repl) -> None:
    reply = repl.ask(
        cmd="theorem a (p : Prop) (h : p) : p := h\n#print axioms a\n"
        "theorem b : 1 = 2 := sorry\n#print axioms b\n"
        "theorem c (p : Prop) : p ∨ ¬p := Classical.em p\n#print axioms c"
    )
    infos = [m["data"] for m in reply["messages"] if m["severity"] == "info"]
    assert infos == [
        "'a' does not depend on any axioms",
        "'b' depends on axioms: [sorryAx]",
        "'c' depends on axioms: [propext, Classical.choice, Quot.sound]",
    ]


def test_a_theorem_cannot_be_declared_twice(repl: Repl) -> None:
    repl.ask(cmd="theorem one : True := trivial")
    reply = repl.ask(cmd="theorem one : True := trivial", env=0)
    assert [m["data"] for m in reply["messages"]] == ["`one` has already been declared"]


def test_the_kernel_has_the_last_word_on_recursion(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem liar : False := liar")
    (message,) = reply["messages"]
    assert message["severity"] == "error"
    assert "fail to show termination" in message["data"]


def test_all_tactics_are_listed_with_goals_and_constants_behind_the_sorries(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  apply Or.inl\n  sorry", allTactics=True)
    assert [s["proofState"] for s in reply["sorries"]] == [0]
    assert reply["tactics"] == [
        {
            "tactic": "apply Or.inl",
            "goals": "p q : Prop\nhp : p\n⊢ p ∨ q",
            "pos": {"line": 2, "column": 2},
            "endPos": {"line": 2, "column": 14},
            "proofState": 1,
            "usedConstants": ["Or.inl"],
        },
        {
            "tactic": "sorry",
            "goals": "p q : Prop\nhp : p\n⊢ p",
            "pos": {"line": 3, "column": 2},
            "endPos": {"line": 3, "column": 7},
            "proofState": 2,
            "usedConstants": reply["tactics"][1]["usedConstants"],
        },
    ]
    assert "sorryAx" in reply["tactics"][1]["usedConstants"]
    assert repl.ask(tactic="exact Or.inl hp", proofState=1)["proofStatus"] == "Completed"


def test_root_goals_stand_behind_the_sorries(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem t (p : Prop) (hp : p) : p := by\n  exact hp", rootGoals=True)
    assert reply["sorries"] == [
        {
            "proofState": 0,
            "goal": "p : Prop\nhp : p\n⊢ p",
            "pos": {"line": 1, "column": 37},
            "endPos": {"line": 1, "column": 37},
        }
    ]
    assert repl.ask(tactic="assumption", proofState=0)["proofStatus"] == "Completed"


def test_an_info_tree_of_tactics_has_their_goals(repl: Repl) -> None:
    reply = repl.ask(cmd="theorem t (p : Prop) (hp : p) : p := by\n  exact hp", infotree="substantive")
    (node,) = reply["infotree"]
    assert node["kind"] == "TacticInfo"
    assert node["children"] == []
    assert node["node"]["name"] == "Lean.Parser.Tactic.exact"
    assert node["node"]["goalsBefore"] == ["p : Prop\nhp : p\n⊢ p"]
    assert node["node"]["goalsAfter"] == []
    assert node["node"]["stx"]["pp"] == "exact hp"
    assert node["node"]["stx"]["range"] == {
        "synthetic": False,
        "start": {"line": 2, "column": 2},
        "finish": {"line": 2, "column": 10},
    }


@pytest.mark.parametrize("detail", ["full", "tactics", "original", "substantive"])
def test_each_detail_of_an_info_tree_is_answered(repl: Repl, detail: str) -> None:
    reply = repl.ask(cmd="theorem t (n : Nat) : n = n := by\n  first | rfl | skip", infotree=detail)
    assert reply["infotree"]


def test_a_full_info_tree_has_commands_and_terms(repl: Repl) -> None:
    reply = repl.ask(cmd="def two : Nat := 1 + 1", infotree="full")
    kinds = set()

    def walk(nodes: list[Json]) -> None:
        for node in nodes:
            kinds.add(node["kind"])
            walk(node["children"])

    walk(reply["infotree"])
    assert {"CommmandInfo", "TermInfo"} <= kinds


def test_an_unknown_detail_of_an_info_tree_is_as_good_as_none(repl: Repl) -> None:
    assert repl.ask(cmd="def two : Nat := 2", infotree="everything") == {"env": 0}


def test_a_file_is_elaborated_like_a_command(repl: Repl, tmp_path: Path) -> None:
    path = tmp_path / "Some.lean"
    path.write_text("theorem fromFile : g = 3 := rfl\n#check fromFile\n", encoding="utf-8")
    repl.ask(cmd="def g : Nat := 3")
    reply = repl.ask(path=str(path), env=0)
    assert reply["env"] == 1
    assert [m["data"] for m in reply["messages"]] == ["fromFile : g = 3"]


def test_a_file_that_is_not_there_is_a_soft_error(repl: Repl, tmp_path: Path) -> None:
    path = tmp_path / "Missing.lean"
    assert repl.ask(path=str(path)) == {"message": f"no such file or directory (error code: 2)\n  file: {path}"}
    assert repl.ask(cmd="") == {"env": 0}


def test_unknown_environments_are_soft_errors(repl: Repl) -> None:
    assert repl.ask(cmd="#check Nat", env=0) == {"message": "Unknown environment."}
    assert repl.ask(env=3, pickleTo="/nowhere") == {"message": "Unknown environment."}


def test_what_lean_code_prints_stays_out_of_the_protocol(repl: Repl) -> None:
    reply = repl.ask(cmd="set_option trace.Meta.synthInstance true in\nexample : 1 + 1 = 2 := rfl")
    assert reply["env"] == 0
    assert repl.ask(cmd="def after : Nat := 0", env=0) == {"env": 1}


def test_deep_nesting_is_an_error_and_not_the_end(repl: Repl) -> None:
    depth = 20_000
    reply = repl.ask(cmd=f"theorem deep (p : Prop) (h : p) : p := {'(' * depth}h{')' * depth}")
    assert "maximum recursion depth" in reply["messages"][0]["data"]
    assert repl.ask(cmd="") == {"env": 1}


def test_forgotten_numbers_stand_for_nothing_and_new_ones_go_on(repl: Repl) -> None:
    repl.ask(cmd="theorem t : True := by sorry")
    assert repl.ask(forget={"envs": [0, 5], "proofStates": [0]}) == {"forgotten": {"envs": [0], "proofStates": [0]}}
    assert repl.ask(cmd="", env=0) == {"message": "Unknown environment."}
    assert repl.ask(tactic="trivial", proofState=0) == {"message": "Unknown proof state."}
    assert repl.ask(cmd="theorem t : True := by sorry")["env"] == 1
