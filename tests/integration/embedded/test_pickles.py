"""Environments and proof states that go through files, also into another process."""

from pathlib import Path

import pytest

from tests.integration.embedded.repl import Repl
from workers.embedded.seal import TRAILER_BYTES

THEOREM = "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry"


def pickled_environment(repl: Repl, path: Path, code: str = "def five : Nat := 5") -> Path:
    env = repl.ask(cmd=code)["env"]
    assert repl.ask(env=env, pickleTo=str(path)) == {"env": env}
    return path


def pickled_proof_state(repl: Repl, path: Path) -> Path:
    state = repl.ask(cmd=THEOREM)["sorries"][0]["proofState"]
    assert "message" not in repl.ask(proofState=state, pickleTo=str(path))
    return path


def test_an_environment_comes_back_in_another_process(repl: Repl, tmp_path: Path) -> None:
    path = pickled_environment(repl, tmp_path / "env")
    with Repl() as other:
        assert other.ask(unpickleEnvFrom=str(path)) == {"env": 0}
        assert other.ask(cmd="example : five = 5 := rfl", env=0) == {"env": 1}


def test_an_environment_behind_another_header_comes_back(repl: Repl, tmp_path: Path) -> None:
    path = pickled_environment(repl, tmp_path / "env", "prelude\nimport Init.Prelude\ndef five : Nat := 5")
    with Repl() as other:
        assert other.ask(unpickleEnvFrom=str(path)) == {"env": 0}
        assert other.ask(cmd="def again : Nat := five", env=0) == {"env": 1}


def test_a_pickle_is_small_also_where_the_usual_header_is_written_out(repl: Repl, tmp_path: Path) -> None:
    """It holds what the session added, and neither the core nor a second copy of it."""
    sizes = []
    for name, header in (("implied", ""), ("written", "import Init\n"), ("twice", "import Init\nimport Init\n")):
        path = pickled_environment(repl, tmp_path / name, f"{header}def five : Nat := 5")
        sizes.append(path.stat().st_size)
        with Repl() as other:
            assert other.ask(unpickleEnvFrom=str(path)) == {"env": 0}
            assert other.ask(cmd="example : five = 5 := rfl", env=0) == {"env": 1}
    assert max(sizes) < 1_000_000


def test_scopes_instances_and_simp_sets_come_back(repl: Repl, tmp_path: Path) -> None:
    code = (
        "namespace Here\nvariable (n : Nat)\nclass Pointed (α : Type) where\n  point : α\n"
        "instance : Pointed Nat := ⟨3⟩\ndef f (n : Nat) : Nat := n\n@[simp] theorem f_eq : f n = n := rfl"
    )
    path = pickled_environment(repl, tmp_path / "env", code)
    with Repl() as other:
        other.ask(unpickleEnvFrom=str(path))
        later = "theorem u : f n + Pointed.point = n + 3 := by simp [Pointed.point]\n#check @u"
        reply = other.ask(cmd=later, env=0)
        assert [m["data"] for m in reply["messages"]] == ["u : ∀ (n : Nat), f n + Pointed.point = n + 3"]


def test_a_proof_state_comes_back_in_another_process(repl: Repl, tmp_path: Path) -> None:
    path = pickled_proof_state(repl, tmp_path / "state")
    with Repl() as other:
        assert other.ask(unpickleProofStateFrom=str(path)) == {
            "proofState": 0,
            "goals": ["p q : Prop\nh : p ∧ q\n⊢ q ∧ p"],
            "proofStatus": "Incomplete: open goals remain",
        }
        assert other.ask(tactic="exact ⟨h.2, h.1⟩", proofState=0)["proofStatus"] == "Completed"
        assert other.ask(tactic="constructor", proofState=0)["proofState"] == 2


def test_a_state_in_the_middle_of_a_proof_comes_back(repl: Repl, tmp_path: Path) -> None:
    repl.ask(cmd=THEOREM)
    repl.ask(tactic="have hp : p := by exact h.1", proofState=0)
    repl.ask(tactic="constructor", proofState=1)
    repl.ask(proofState=2, pickleTo=str(tmp_path / "middle"))
    with Repl() as other:
        reply = other.ask(unpickleProofStateFrom=str(tmp_path / "middle"))
        assert [goal.splitlines()[0] for goal in reply["goals"]] == ["case left", "case right"]
        assert other.ask(tactic="exact h.2", proofState=0)["proofState"] == 1
        assert other.ask(tactic="exact hp", proofState=1)["proofStatus"] == "Completed"


def test_pickling_a_proof_state_numbers_it_again_and_repeats_its_messages(repl: Repl, tmp_path: Path) -> None:
    repl.ask(cmd="theorem t : True := by sorry")
    said = repl.ask(tactic="apply nonsense", proofState=0)
    again = repl.ask(proofState=1, pickleTo=str(tmp_path / "state"))
    assert again == {**said, "proofState": 2}
    assert repl.ask(unpickleProofStateFrom=str(tmp_path / "state")) == {**said, "proofState": 3}


def test_a_proof_state_can_be_unpickled_onto_an_environment(repl: Repl, tmp_path: Path) -> None:
    path = pickled_proof_state(repl, tmp_path / "state")
    with Repl() as other:
        assert other.ask(unpickleProofStateFrom=str(path), env=0) == {"message": "Unknown environment."}
        other.ask(cmd="")
        assert other.ask(unpickleProofStateFrom=str(path), env=0)["proofState"] == 0


def test_what_was_unpickled_can_be_pickled_again(repl: Repl, tmp_path: Path) -> None:
    path = pickled_environment(repl, tmp_path / "first")
    with Repl() as other:
        other.ask(unpickleEnvFrom=str(path))
        other.ask(cmd="def six : Nat := five + 1", env=0)
        assert other.ask(env=1, pickleTo=str(tmp_path / "second")) == {"env": 1}
    path.unlink()
    with Repl() as third:
        third.ask(unpickleEnvFrom=str(tmp_path / "second"))
        assert third.ask(cmd="example : six = 6 := rfl", env=0) == {"env": 1}


def test_a_pickle_may_be_overwritten_while_it_is_in_use(repl: Repl, tmp_path: Path) -> None:
    path = pickled_environment(repl, tmp_path / "env")
    with Repl() as other:
        other.ask(unpickleEnvFrom=str(path))
        path.write_bytes(b"")
        assert other.ask(cmd="example : five = 5 := rfl", env=0) == {"env": 1}


def test_a_pickle_holds_the_session_and_not_the_core_library(repl: Repl, tmp_path: Path) -> None:
    assert pickled_environment(repl, tmp_path / "env").stat().st_size < 500_000
    assert pickled_proof_state(repl, tmp_path / "state").stat().st_size < 500_000


def flip(data: bytes, index: int) -> bytes:
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:0], "too short"),  # an upload that never happened
        (lambda data: data[: len(data) // 2], "truncated"),  # one that was cut off
        (lambda data: data[:-1], "truncated"),
        (lambda data: flip(data, 200), "damaged"),  # a bit of the content
        (lambda data: flip(data, 0x58), "damaged"),  # the root's address
        (lambda data: flip(data, len(data) - TRAILER_BYTES - 1), "damaged"),  # the last byte of the content
        (lambda data: data + b"\0", "truncated"),
        (lambda data: data[:100] + data[108:], "length"),  # something is missing in the middle
        (lambda data: b"x" * len(data), "not a file of Lean objects"),
        (lambda data: flip(data, len(data) - 1), "another build"),  # made in another world
    ],
)
def test_a_damaged_pickle_is_refused_and_the_session_goes_on(
    repl: Repl, tmp_path: Path, damage: object, reason: str
) -> None:
    assert callable(damage)
    path = pickled_environment(repl, tmp_path / "env")
    path.write_bytes(damage(path.read_bytes()))
    for request in ({"unpickleEnvFrom": str(path)}, {"unpickleProofStateFrom": str(path)}):
        reply = repl.ask(**request)
        assert reply.keys() == {"message"}
        assert reason in reply["message"]
    assert repl.ask(cmd="example : five = 5 := rfl", env=0) == {"env": 1}


def test_one_kind_of_pickle_is_not_taken_for_the_other(repl: Repl, tmp_path: Path) -> None:
    environment = pickled_environment(repl, tmp_path / "env")
    state = pickled_proof_state(repl, tmp_path / "state")
    assert "holds an environment" in repl.ask(unpickleProofStateFrom=str(environment))["message"]
    assert "holds a proof state" in repl.ask(unpickleEnvFrom=str(state))["message"]


def test_missing_and_unwritable_files_are_soft_errors(repl: Repl, tmp_path: Path) -> None:
    repl.ask(cmd=THEOREM)
    missing = str(tmp_path / "no such folder" / "file")
    assert "cannot unpickle" in repl.ask(unpickleEnvFrom=missing)["message"]
    assert "cannot unpickle" in repl.ask(unpickleProofStateFrom=missing)["message"]
    assert "cannot pickle" in repl.ask(env=0, pickleTo=missing)["message"]
    assert "cannot pickle" in repl.ask(proofState=0, pickleTo=missing)["message"]
    assert "cannot unpickle" in repl.ask(unpickleEnvFrom="a\0b")["message"]


def test_constants_alone_come_back_where_that_is_asked_for(tmp_path: Path) -> None:
    """As from the community REPL's pickles: scopes come along, instances and attributes do not."""
    code = (
        "open Nat\nclass Pointed (α : Type) where\n  point : α\ninstance : Pointed Nat := ⟨3⟩\n"
        "def five : Nat := 5\nnamespace Here\npartial def loop (n : Nat) : Nat := loop n\naxiom given : five = 6"
    )
    with Repl("--unpickle", "constants") as repl:
        path = pickled_environment(repl, tmp_path / "env", code)
        repl.ask(unpickleEnvFrom=str(path))
        reply = repl.ask(cmd="example : five = 5 := rfl\nexample : (Pointed.point : Nat) = 3 := rfl", env=1)
        assert [message["pos"]["line"] for message in reply["messages"]] == [2]
        said = repl.ask(cmd="#print axioms given\n#where", env=1)["messages"]
        assert said[0]["data"] == "'Here.given' depends on axioms: [given]"  # by the namespace, which is still open
        assert "namespace Here" in said[1]["data"]
        assert "open Nat" in said[1]["data"]
