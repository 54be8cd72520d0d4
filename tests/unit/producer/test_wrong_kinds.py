"""Whatever a caller puts into a public value, it is refused in words or it is sound: no other error, no surprise later.

Python does not check annotations, and a state may have been put together by hand from a database's columns.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.errors import InvalidInputError
from producer.operation import AnyOperation, ExportState, ImportState, Operation, RunCode, RunTactics, VerifyProof
from producer.state import BlobRef, CommandStep, PrefixRef, SorryStep, StateRef, TacticStep

BLOB = BlobRef(sha256="0" * 64, size_bytes=1, steps=1)
PREFIX = PrefixRef(id="0" * 64, steps=2, kind="proof_state", sha256="1" * 64)
ENVIRONMENT = StateRef(project="p", header="import Init", blob=BLOB).then(CommandStep("def a := 1"))
HOLE = ENVIRONMENT.then(SorryStep(0), TacticStep("simp"))
CUT = StateRef(prefix=PREFIX, steps=(TacticStep("simp"),))

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers() | st.sampled_from([2**63, 2**64, -(2**64)]),
    st.floats(),
    st.text(max_size=5) | st.sampled_from(["\ud800", "\0"]),
    st.binary(max_size=5),
    st.lists(st.integers() | st.text(max_size=5), max_size=3),
    st.tuples(st.integers() | st.text(max_size=5)),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
    st.sampled_from([CommandStep("x"), SorryStep(0), TacticStep("x"), ENVIRONMENT, HOLE, BLOB, PREFIX, object(), int]),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Value:
    """A value of a public type, and an operation around it."""

    value: Any
    around: Callable[[Any], AnyOperation]

    def __repr__(self) -> str:
        return type(self.value).__name__


VALUES = [
    Value(value=SorryStep(0), around=lambda step: ExportState(state=ENVIRONMENT.then(step))),
    Value(value=TacticStep("simp"), around=lambda step: RunTactics(state=HOLE.then(step), tactics=("x",))),
    Value(value=CommandStep("def b := 1"), around=lambda step: RunCode(state=ENVIRONMENT.then(step), code="x")),
    Value(value=BLOB, around=lambda blob: ImportState(state=msgspec.structs.replace(HOLE, blob=blob))),
    Value(value=PREFIX, around=lambda prefix: ImportState(state=msgspec.structs.replace(CUT, prefix=prefix))),
    Value(value=ENVIRONMENT, around=lambda state: RunCode(state=state, code="x")),
    Value(value=HOLE, around=lambda state: RunTactics(state=state, tactics=("x",))),
    Value(value=CUT, around=lambda state: ExportState(state=state)),
    *(
        Value(value=operation, around=lambda operation: operation)
        for operation in (
            RunCode(code="x", state=ENVIRONMENT),
            RunTactics(state=HOLE, tactics=("simp",)),
            ExportState(state=HOLE),
            ImportState(state=CUT),
            VerifyProof(proof="theorem t : p := h", statement="theorem t : p := sorry"),
        )
    ),
]


def refused(operation: AnyOperation) -> bool:
    try:
        operation.checked()
    except InvalidInputError as error:
        return bool(error.message)
    return False


def test_the_values_are_sound_as_they_are() -> None:
    for each in VALUES:
        each.around(each.value).checked()


@pytest.mark.parametrize("each", VALUES, ids=repr)
@given(data=st.data())
def test_a_field_of_a_wrong_kind_is_refused_in_words(each: Value, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from([field.name for field in msgspec.structs.fields(each.value)]))
    junk = data.draw(JUNK)
    wrong = msgspec.structs.replace(each.value, **{field: junk})
    operation = each.around(wrong)
    if refused(operation):
        return
    # What passes is what the wire lets pass, and has an id and a name for people.
    assert msgspec.json.decode(msgspec.json.encode(operation), type=AnyOperation).id == operation.id
    assert isinstance(operation.label, str)


@pytest.mark.parametrize("each", VALUES, ids=repr)
@given(junk=JUNK)
def test_something_else_in_place_of_a_value_is_refused_in_words(each: Value, junk: Any) -> None:
    if isinstance(each.value, Operation):
        return
    operation = each.around(junk)
    if not refused(operation):
        assert msgspec.json.decode(msgspec.json.encode(operation), type=AnyOperation).id == operation.id


def test_the_message_names_the_step_and_what_was_found() -> None:
    with pytest.raises(InvalidInputError, match=r"the index of step 1 must be a whole number, not '0' \(str\)"):
        RunTactics(state=ENVIRONMENT.then(SorryStep("0")), tactics=("x",)).checked()  # type: ignore[arg-type]
