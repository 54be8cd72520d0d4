"""Mutated requests: whatever is sent, the process answers each once, in order, and goes on."""

import json
import random

from tests.integration.embedded.repl import Json, Repl

COMMANDS = [
    "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by\n  constructor\n  · exact h.2\n  · exact h.1",
    (
        "theorem add_zero' (n : Nat) : 0 + n = n := by\n"
        "  induction n with\n  | zero => rfl\n  | succ n ih => rw [Nat.add_succ, ih]"
    ),
    "inductive Tree (α : Type) where\n  | leaf\n  | node (l : Tree α) (a : α) (r : Tree α)\nderiving DecidableEq",
    "structure Point where\n  x : Nat := 0\n  y : Nat\n\ndef origin : Point := { y := 0 }\n#print Point",
    "def fib : Nat → Nat\n  | 0 => 0\n  | 1 => 1\n  | n + 2 => fib n + fib (n + 1)\n#eval fib 10",
    "example (f : Nat → Nat) (h : ∀ n, f n = n) : f (f 2) = 2 := by simp [h]",
    (
        "theorem em' (p : Prop) : p ∨ ¬p := by\n  by_cases h : p\n  · exact Or.inl h\n  · exact Or.inr h\n"
        "#print axioms em'"
    ),
    "theorem c (a b c : Nat) (h : a = b) (g : b = c) : a = c := calc\n  a = b := h\n  _ = c := g",
    "namespace N\nvariable {α : Type} (x : α)\ntheorem s : ∃ y, y = x := ⟨x, rfl⟩\nend N\nopen N in\n#check @s",
    "theorem w : ∃ n : Nat, n > 3 := by\n  refine ⟨?_, ?_⟩\n  sorry\n  exact (sorry : _)",
    (
        "set_option pp.all true in\n#check fun (x : Nat) => x + 1\n"
        "mutual\ndef e : Nat → Bool | 0 => true | n+1 => o n\ndef o : Nat → Bool | 0 => false | n+1 => e n\nend"
    ),
    (
        "class Group' (G : Type) where\n  mul : G → G → G\n  one : G\n"
        "instance : Group' Nat := ⟨Nat.add, 0⟩\n#synth Group' Nat"
    ),
]
TACTICS = [
    "exact ⟨h.2, h.1⟩",
    "constructor <;> simp_all",
    "have x : 1 = 1 := by\n  rfl\nexact ⟨h.2, h.1⟩",
    "rcases h with ⟨a, b⟩",
    "first | assumption | skip",
    "apply And.intro\n· sorry\n· exact h.left",
    "refine ⟨?a, ?b⟩ <;> try exact h.1",
    "show _ ∧ _; exact h.symm",
    "cases h with | intro a b => exact And.intro b a",
    "(intros; exact sorry)",
]
FRAGMENTS = [
    "sorry",
    "by",
    "(",
    ")",
    "⟨",
    "·",
    ":=",
    "\n",
    "  ",
    "end",
    "import Init\n",
    "exact",
    "_",
    "?x",
    "@",
    "'",
    '"',
    "«",
    "/-",
    "-/",
    "∀ x,",
    "fun x =>",
    "0",
    "\\",
    "\0",
    "|",
    "where",
    "#eval",
    "universe u\n",
    "Type u",
    "Sort*",
]


def mutated(random_: random.Random, text: str) -> str:
    for _ in range(random_.randrange(1, 6)):
        at = random_.randrange(len(text) + 1)
        length = random_.choice([0, 1, 1, 2, 5, 20])
        kind = random_.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + length :]
        elif kind == 1:
            text = text[:at] + random_.choice(FRAGMENTS) + text[at:]
        elif kind == 2:
            other = random_.choice(COMMANDS)
            start = random_.randrange(len(other))
            text = text[:at] + other[start : start + random_.randrange(1, 40)] + text[at:]
        else:
            text = text[:at] + text[at : at + length] * 2 + text[at + length :]
    return text


def test_mutated_commands_and_tactics_never_end_it_nor_confuse_it() -> None:
    random_ = random.Random(20_250)
    with Repl() as repl:
        repl.ask(cmd="set_option maxHeartbeats 2000")
        repl.ask(cmd="theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry", env=0)
        environments, proof_states = 2, 1
        for index in range(600):
            request: Json
            if random_.random() < 0.6:
                request = {"cmd": mutated(random_, random_.choice(COMMANDS)), "env": random_.choice([0, 0, 1])}
                if random_.random() < 0.15:
                    request["allTactics"] = True
                if random_.random() < 0.1:
                    request["infotree"] = random_.choice(["full", "substantive"])
            else:
                request = {
                    "tactic": mutated(random_, random_.choice(TACTICS)),
                    "proofState": random_.randrange(proof_states),
                }
            reply = repl.ask(**request)
            if "env" in reply:
                assert reply["env"] == environments, (index, request)
                environments += 1
            new = [s["proofState"] for key in ("sorries", "tactics") for s in reply.get(key, [])]
            new += [reply["proofState"]] if "proofState" in reply else []
            if new:
                assert min(new) >= proof_states, (index, request)
                proof_states = max(new) + 1
            assert reply.keys() & {"env", "proofState", "message"}, (index, request)
        assert repl.ask(cmd="example : 2 + 2 = 4 := rfl", env=0) == {"env": environments}


def test_mutated_bytes_are_each_answered_once() -> None:
    random_ = random.Random(4)
    whole = json.dumps({"cmd": "example : True := trivial", "env": None, "allTactics": True}).encode()
    with Repl() as repl:
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(random_.randrange(1, 5)):
                data[random_.randrange(len(data))] = random_.choice(b'{}[]",:0 \x00\xff\\eux')
            if not data.strip() or data.startswith((b"#", b"--")):
                continue
            repl.send(bytes(data) + b"\n\n")
            assert repl.receive().keys() & {"env", "message"}
        assert "env" in repl.ask(cmd="")
