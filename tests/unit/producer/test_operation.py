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


@pytest.mark.parametrize(
    ("operation", "arguments", "says"),
    [
        (RunCode, {"code": 5}, r"code must be a string, not 5 \(int\)"),
        (RunCode, {"code": b"x"}, r"code must be a string, not b'x' \(bytes\)"),
        (RunCode, {"code": "x", "timeout_seconds": "5"}, r"timeout_seconds must be a number, not '5' \(str\)"),
        (RunCode, {"code": "x", "timeout_seconds": True}, "timeout_seconds must be a number"),
        (RunCode, {"code": "x", "memory_bytes": 1e9}, "memory_bytes must be a whole number"),
        (RunCode, {"code": "x", "fresh": 1}, "fresh must be True or False"),
        (RunCode, {"code": "x", "state": {"steps": []}}, "state must be a StateRef"),
        (RunCode, {"code": "x", "state": StateRef(header=5)}, "header must be a string"),  # type: ignore[arg-type]
        (RunTactics, {"state": HOLE, "tactics": "simp"}, r"tactics must be a list of strings: pass \['simp'\]"),
        (RunTactics, {"state": HOLE, "tactics": 5}, "tactics must be a list of strings"),
        (RunTactics, {"state": HOLE, "tactics": ("simp", 5)}, r"tactics\[1\] must be a string"),
        (RunTactics, {"state": None, "tactics": ("simp",)}, "state must be a StateRef"),
        (ExportState, {"state": "{}"}, "state must be a StateRef"),
        (ImportState, {"state": None}, "state must be a StateRef"),
        (VerifyProof, {"proof": None}, "proof must be a string"),
        (VerifyProof, {"proof": "x", "allowed_axioms": "propext"}, r"pass \['propext'\]"),
        (VerifyProof, {"proof": "x", "strength": "strong"}, "strength must be one of"),
    ],
)
def test_an_argument_of_a_wrong_kind_is_refused_in_words(
    operation: type[AnyOperation], arguments: dict[str, object], says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says):
        operation(**arguments).checked()  # type: ignore[arg-type]
