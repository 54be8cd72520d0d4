"""A request that would kill a REPL cannot be built, and one that can be is always a single line and a blank one."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.errors import InvalidInputError, SettingsError
from workers.protocol import get_adapter
from workers.protocol.adapter import UnreadableReplyError
from workers.protocol.community import CommunityAdapter
from workers.protocol.requests import (
    AuditConstants,
    Command,
    PickleEnvironment,
    PickleProofState,
    Request,
    Tactic,
    UnpickleEnvironment,
    UnpickleProofState,
)
from workers.protocol.responses import ErrorResponse

adapter = CommunityAdapter()


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t")))
def test_a_frame_is_one_line_and_a_blank_one_whatever_the_text(code: str) -> None:
    """A raw line break inside of the JSON would be deleted by the REPL, and a second blank line would end it."""
    frame = adapter.encode(Command(code=code, environment=3))
    line, *rest = frame.split(b"\n")
    assert rest == [b"", b""]
    assert json.loads(line) == {"cmd": code, "env": 3}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("theorem\0 a", id="NUL ends what some versions read"),
        pytest.param("\ud800", id="a lone surrogate is no Unicode"),
        pytest.param("\x1b[2J", id="control characters are no Lean"),
    ],
)
def test_a_text_that_lean_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        Command(code=text)
    with pytest.raises(InvalidInputError):
        Tactic(tactic=text, proof_state=0)


def test_numbers_that_no_repl_gives_out_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="-1"):
        Command(code="", environment=-1)


def test_a_pickle_is_never_written_over_another(tmp_path: Path) -> None:
    taken = tmp_path / "taken.olean"
    taken.touch()
    with pytest.raises(InvalidInputError, match="exists already"):
        PickleProofState(proof_state=0, path=taken)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(Path("state.olean"), id="relative: the REPL has a directory of its own"),
        pytest.param(Path("/nowhere/at/all/state.olean"), id="a folder that is not there kills the REPL"),
    ],
)
def test_a_pickle_goes_to_a_folder_that_can_be_written_to(path: Path) -> None:
    with pytest.raises(InvalidInputError):
        PickleEnvironment(environment=0, path=path)


def test_only_a_file_that_has_something_in_it_is_unpickled(tmp_path: Path) -> None:
    """A pickle that cannot be opened kills the REPL."""
    empty = tmp_path / "empty.olean"
    empty.touch()
    for path in (empty, tmp_path / "missing.olean", tmp_path):
        with pytest.raises(InvalidInputError, match="no pickle"):
            UnpickleProofState(path=path)
        with pytest.raises(InvalidInputError, match="no pickle"):
            UnpickleEnvironment(path=path)


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (Command(code="def a := 1"), {"cmd": "def a := 1"}),
        (
            Command(code="", environment=0, all_tactics=True, root_goals=True, infotree="original"),
            {"cmd": "", "env": 0, "allTactics": True, "rootGoals": True, "infotree": "original"},
        ),
        (Tactic(tactic="rfl", proof_state=7), {"tactic": "rfl", "proofState": 7}),
    ],
)
def test_requests_have_the_shapes_of_the_community_repl(request_: Request[Any], fields: dict[str, object]) -> None:
    assert json.loads(adapter.encode(request_)) == fields


def test_pickling_has_the_shapes_of_the_community_repl(tmp_path: Path) -> None:
    new, old = tmp_path / "new.olean", tmp_path / "old.olean"
    old.write_bytes(b"pickle")
    shapes: list[tuple[Request[Any], dict[str, object]]] = [
        (PickleEnvironment(environment=1, path=new), {"env": 1, "pickleTo": str(new)}),
        (PickleProofState(proof_state=2, path=new), {"proofState": 2, "pickleTo": str(new)}),
        (UnpickleEnvironment(path=old), {"unpickleEnvFrom": str(old)}),
        (UnpickleProofState(path=old), {"unpickleProofStateFrom": str(old)}),
        (UnpickleProofState(path=old, environment=3), {"unpickleProofStateFrom": str(old), "env": 3}),
    ]
    for request, fields in shapes:
        assert json.loads(adapter.encode(request)) == fields


def test_an_adapter_is_found_by_its_name_and_others_are_listed() -> None:
    assert get_adapter("community").name == "community"
    with pytest.raises(SettingsError, match="community, embedded"):
        get_adapter("esperanto")


def test_constants_from_another_process_stay_in_their_place_of_a_frame() -> None:
    """They are whatever JSON that process wrote; a blank line in it would be the end of the frame."""
    candidate = msgspec.Raw(b'{"names":\n\n[["a"]],\n "x": "\\n\\n"}')
    request = AuditConstants(environment=0, theorems=(("a", 0), ("b", None)), candidate=candidate)
    frame = get_adapter("embedded").encode(request)
    assert frame.count(b"\n") == 2
    asked = json.loads(frame)["auditConstants"]
    assert asked == {"theorems": [["a", 0], ["b", None]], "candidate": {"names": [["a"]], "x": "\n\n"}}


def test_an_error_is_never_taken_for_an_audit() -> None:
    request = AuditConstants(environment=0, theorems=(), candidate=msgspec.Raw(b"{}"))
    assert get_adapter("embedded").decode(request, b'{"message": "no"}') == ErrorResponse(message="no")
    with pytest.raises(UnreadableReplyError):
        get_adapter("embedded").decode(request, b'{"theorems": [], "env": 3}')
