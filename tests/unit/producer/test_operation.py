import msgspec
import pytest

from producer.errors import InvalidInputError
from producer.operation import OPERATIONS, AnyOperation, ExportState, ImportState, RunCode, RunTactics, VerifyProof
from producer.state import BlobRef, CommandStep, SorryStep, StateRef

HOLE = StateRef().then(CommandStep("theorem a : True := by sorry"), SorryStep(0))
EACH = [
    RunCode(code="def a := 1"),
    RunTactics(state=HOLE, tactics=("trivial",)),
    ExportState(state=HOLE),
    ImportState(state=HOLE),
    VerifyProof(statement="theorem t : p := sorry", proof="theorem t : p := h"),
]


@pytest.mark.parametrize("operation", EACH)
def test_every_operation_survives_the_wire(operation: AnyOperation) -> None:
    assert msgspec.json.decode(msgspec.json.encode(operation), type=AnyOperation) == operation
    assert OPERATIONS[operation.kind] is type(operation)


def test_the_limits_are_not_part_of_what_is_asked() -> None:
    assert RunCode(code="x", timeout_seconds=1).id == RunCode(code="x", memory_bytes=1).id


def test_a_blob_does_not_make_it_another_operation() -> None:
    blob = BlobRef(sha256="0" * 64, size_bytes=1, steps=2)
    with_blob = msgspec.structs.replace(HOLE, blob=blob)

    assert RunTactics(state=with_blob, tactics=("x",)).id == RunTactics(state=HOLE, tactics=("x",)).id


def test_different_questions_have_different_ids() -> None:
    ids = {operation.id for operation in [*EACH, RunCode(code="def a := 1", state=StateRef(header="import X"))]}

    assert len(ids) == len(EACH) + 1


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (RunCode(code="a\n\x00b"), r"U\+0000 in line 2"),
        (RunCode(code="a\ud800"), "surrogate"),
        (RunCode(code="é" * 600_000), "1,200,000 bytes"),
        (RunCode(code="x", timeout_seconds=0), "timeout_seconds"),
        (RunCode(code="x", timeout_seconds=float("nan")), "timeout_seconds"),
        (RunCode(code="x", timeout_seconds=float("inf")), "timeout_seconds"),
        (RunCode(code="x", memory_bytes=-1), "memory_bytes"),
        (RunCode(code="x", state=HOLE), "environment"),
        (RunTactics(state=HOLE, tactics=()), "at least one"),
        (RunTactics(state=StateRef(), tactics=("trivial",)), "proof state"),
        (VerifyProof(statement="theorem t\x00", proof="theorem t"), r"U\+0000 in line 1"),
        (VerifyProof(proof="theorem t", theorem="t"), "no statement"),
        (VerifyProof(proof="theorem t", allowed_axioms=("a\x01",)), r"U\+0001"),
    ],
)
def test_what_no_repl_can_be_asked_is_refused(operation: AnyOperation, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        operation.checked()


@pytest.mark.parametrize("operation", EACH)
def test_what_a_repl_can_be_asked_passes(operation: AnyOperation) -> None:
    assert operation.checked() is operation


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("import Mathlib\nset_option maxHeartbeats 0\n\ntheorem a : True := by\n  trivial", "theorem a : True := by"),
        ("import Mathlib\n@[simp] private lemma b : 1 = 1 := rfl", "lemma b : 1 = 1 := rfl"),
        ("@[simp]\n  theorem c : 1 = 1 := rfl", "theorem c : 1 = 1 := rfl"),
        ("-- theorem d\nopen Nat\n#eval 3", "#eval 3"),
        ("def e := 3\ntheorem f : e = 3 := rfl", "theorem f : e = 3 := rfl"),
        ("import Mathlib", "import Mathlib"),
        ("theorems := 3", "theorems := 3"),
        ("", ""),
        ("@[" * 2000, ("@[" * 30)[:59] + "…"),
        ("\n" * 1000 + "x", "x"),
    ],
)
def test_code_is_labelled_by_its_theorem_or_by_what_it_does(code: str, label: str) -> None:
    assert RunCode(code=code).label == label


def test_labels_are_short() -> None:
    assert RunCode(code="\n\n  theorem a : True := trivial\n-- more").label == "theorem a : True := trivial"
    assert len(RunCode(code="x" * 1000).label) <= 60
    assert RunTactics(state=HOLE, tactics=("simp", "omega", "rfl")).label == "simp (+2)"
