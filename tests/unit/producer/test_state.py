import hashlib
import json
import re
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.errors import InvalidInputError, InvalidTextError, WireError
from producer.operation import ExportState
from producer.state import (
    BlobRef,
    CommandStep,
    PrefixRef,
    SorryStep,
    StateRef,
    Step,
    TacticStep,
    netstrings,
    root_id,
    state_ids,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "states.md"

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=30)
SHA256 = st.binary(min_size=32, max_size=32).map(bytes.hex)


@st.composite
def recipes(draw: st.DrawFn) -> tuple[Step, ...]:
    """Steps in an order that can be: commands, then perhaps a sorry, then tactics and their sorries."""
    steps: list[Step] = [CommandStep(draw(TEXTS)) for _ in range(draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        steps.append(SorryStep(draw(st.integers(0, 5))))
        for _ in range(draw(st.integers(0, 8))):
            steps.append(TacticStep(draw(TEXTS)))
            if draw(st.booleans()):
                steps.append(SorryStep(draw(st.integers(0, 5))))
    return tuple(steps)


BLOBS = st.builds(
    BlobRef,
    sha256=SHA256,
    size_bytes=st.integers(0, 2**40),
    steps=st.just(1),
    encoding=st.sampled_from(["", "zstd"]),
    unpacked_bytes=st.integers(0, 2**40),
    signature=st.sampled_from(["", "0" * 64]),
)
HEADERS = st.lists(st.from_regex(r"import [A-Z]\w*(\.\w+)*", fullmatch=True), max_size=3).map("\n".join)
STATES = st.builds(StateRef, header=HEADERS, steps=recipes(), project=TEXTS, blob=st.none() | BLOBS)

HOLE = StateRef(project="p").then(CommandStep("theorem a : True := by sorry"), SorryStep(0))


@given(STATES)
def test_a_state_survives_a_trip_through_json(state: StateRef) -> None:
    text = state.to_json()
    assert "\n" not in text
    assert StateRef.from_json(text) == state
    assert StateRef.from_json(text).id == state.id


@given(STATES, STATES)
def test_states_have_equal_ids_exactly_when_their_recipes_are_equal(one: StateRef, other: StateRef) -> None:
    equal = (one.project, one.header, one.steps) == (other.project, other.header, other.steps)
    assert (one.id == other.id) == equal


@given(STATES, BLOBS)
def test_a_blob_does_not_change_the_id(state: StateRef, blob: BlobRef) -> None:
    assert msgspec.structs.replace(state, blob=blob).id == state.id


@given(STATES, st.data())
def test_a_recipe_that_was_cut_anywhere_leads_to_the_same_state(state: StateRef, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(state.steps)))
    before = StateRef(project=state.project, header=state.header, steps=state.steps[:cut])
    prefix = PrefixRef(id=before.id, steps=cut, kind=before.kind, sha256="0" * 64)
    after = msgspec.structs.replace(state, prefix=prefix, steps=state.steps[cut:]).checked()
    assert (after.id, after.depth, after.kind) == (state.id, state.depth, state.kind)


@given(STATES)
def test_the_ids_along_a_recipe_are_those_of_its_prefixes(state: StateRef) -> None:
    ids = state_ids(root_id(state.project, state.header), state.steps)
    for length, found in enumerate(ids):
        assert found == msgspec.structs.replace(state, steps=state.steps[:length]).id


@given(st.lists(TEXTS), st.lists(TEXTS))
def test_no_two_lists_of_texts_have_the_same_netstrings(one: list[str], other: list[str]) -> None:
    assert (netstrings(*one) == netstrings(*other)) == (one == other)


def test_the_documented_example_has_the_documented_id() -> None:
    example = re.search(r"```json state\n(.*?)```\n.*?`([0-9a-f]{64})`", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert example is not None
    assert StateRef.from_json(example[1]).id == example[2]


def test_the_documented_algorithm_gives_the_same_ids() -> None:
    """The document's own program, run as it stands, beside an independent implementation here."""
    program = re.search(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert program is not None
    scope: dict[str, object] = {}
    exec(program[1], scope)  # noqa: S102 - it is our own documentation
    state_id = scope["state_id"]
    assert callable(state_id)

    @given(STATES)
    def agrees(state: StateRef) -> None:
        assert state_id(json.loads(state.to_json())) == state.id

    agrees()
    cut = PrefixRef(id=HOLE.id, steps=2, kind="proof_state", sha256="0" * 64)
    after = StateRef(prefix=cut, steps=(TacticStep("exact ⟨x, «é»⟩\n· simp"),))
    assert state_id(json.loads(after.to_json())) == HOLE.then(*after.steps).id

    digest = hashlib.sha256(b"15:leanfleet-state,1:1,1:p,0:,").hexdigest()
    digest = hashlib.sha256(f"64:{digest},1:c,28:theorem a : True := by sorry,".encode()).hexdigest()
    assert HOLE.id == hashlib.sha256(f"64:{digest},1:s,1:0,".encode()).hexdigest()


# The algorithm as the document describes it, in another language: its tools know nothing of JSON, Python, or leanfleet.
SHELL = r"""
net() { for part in "$@"; do printf '%s:%s,' "$(printf %s "$part" | wc -c | tr -d ' ')" "$part"; done; }
digest() { net "$@" | sha256sum | cut -d ' ' -f 1; }
id=$(digest leanfleet-state 1 "$1" "$2"); shift 2
while [ $# -gt 0 ]; do id=$(digest "$id" "$1" "$2"); shift 2; done
printf %s "$id"
"""


@pytest.mark.parametrize(
    "state",
    [
        StateRef(),
        StateRef(project="p", header="import Init\nimport Lean"),
        HOLE,
        HOLE.then(TacticStep("exact ⟨x, «é»⟩\n· simp\t['$HOME' \"\\n\"]"), SorryStep(11), TacticStep("-- 𝔸, 12:c,")),
    ],
    ids=["nothing", "a header", "a hole", "letters that need care"],
)
def test_a_shell_computes_the_documented_id(state: StateRef) -> None:
    words = [state.project, state.header]
    for kind, value in json.loads(state.to_json()).get("steps", []):
        words += [kind, str(value)]
    done = subprocess.run(["/bin/sh", "-c", SHELL, "sh", *words], capture_output=True, text=True, check=True)
    assert done.stdout == state.id


def test_a_hundred_step_proof_is_small_on_the_wire() -> None:
    tactics = ["intro h", "constructor", "exact h.1", "simp [Nat.add_comm]", "rw [Nat.mul_comm a b]", "cases h with"]
    statement = "theorem t (a b c : Nat) (h : a + b = c) : b + a = c ∧ c = a + b := by\n  sorry"
    state = StateRef(header="import Mathlib", project="f" * 32).then(CommandStep(statement), SorryStep(0))
    for number in range(98):
        state = state.then(TacticStep(tactics[number % len(tactics)]))
    assert state.depth == 100
    assert len(state.to_json().encode()) < 4096


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ((SorryStep(0),), "step 0"),
        ((TacticStep("simp"),), "step 0"),
        ((CommandStep("x"), TacticStep("simp")), "step 1"),
        ((CommandStep("x"), SorryStep(0), SorryStep(0)), "step 2"),
        ((CommandStep("x"), SorryStep(0), CommandStep("x")), "step 2"),
        ((CommandStep("x"), SorryStep(-1)), "sorry -1"),
    ],
)
def test_steps_that_cannot_follow_one_another_are_refused(steps: tuple[Step, ...], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        ExportState(state=StateRef(steps=steps)).checked()


@pytest.mark.parametrize("depth", [0, 3])
def test_a_blob_for_steps_that_are_not_there_is_refused(depth: int) -> None:
    with pytest.raises(InvalidInputError, match="blob"):
        msgspec.structs.replace(HOLE, blob=BlobRef(sha256="0" * 64, size_bytes=1, steps=depth)).checked()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a state"),
        ("[]", "not a state"),
        pytest.param('{"steps": ' + "[" * 100_000, "not a state", id="deep"),
        ('{"v": 2}', "version 2"),
        ('{"steps": [["x", "y"]]}', "not a state"),
        ('{"steps": [["c", "x", "what the id would not tell"]]}', "length 1"),
        ('{"hostname": "gpu-3"}', "hostname"),
    ],
)
def test_text_that_is_no_state_is_refused(text: str, says: str) -> None:
    with pytest.raises(WireError, match=says):
        StateRef.from_json(text)


@pytest.mark.parametrize("header", ["import \0", "import Init\nexample : 1 = 1 := by (repeat skip)", "open Nat"])
def test_a_header_that_is_not_imports_alone_is_refused(header: str) -> None:
    with pytest.raises(InvalidTextError, match="imports alone"):
        ExportState(state=msgspec.structs.replace(HOLE, header=header)).checked()


@pytest.mark.parametrize(
    ("field", "lie", "says"),
    [
        ("prefix", {"steps": -1}, "counts? from 1"),
        ("prefix", {"steps": 0}, "counts? from 1"),
        ("prefix", {"id": "x"}, "64 hexadecimal digits"),
        ("prefix", {"sha256": "../../secret"}, "64 hexadecimal digits"),
        ("blob", {"steps": -1}, "stands for -1 of its 3 steps"),
        ("blob", {"steps": 4}, "stands for 4 of its 3 steps"),
        ("blob", {"sha256": "é" * 64}, "no SHA-256"),
        ("blob", {"size_bytes": -1}, "fewer than 0 bytes"),
        ("blob", {"unpacked_bytes": -1}, "fewer than 0 bytes"),
    ],
)
def test_a_hint_that_cannot_be_is_refused(field: str, lie: dict[str, object], says: str) -> None:
    state = StateRef(
        steps=(TacticStep("trivial"),),
        prefix=PrefixRef(id=HOLE.id, steps=2, kind="proof_state", sha256="0" * 64),
        blob=BlobRef(sha256="0" * 64, size_bytes=1, steps=3),
    )
    assert state.checked() == state
    forged = msgspec.structs.replace(state, **{field: msgspec.structs.replace(getattr(state, field), **lie)})
    with pytest.raises(InvalidInputError, match=says):
        forged.checked()
