"""Pantograph's shapes, as its documentation gives them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.errors import HeaderError, InvalidInputError
from producer.result import Position
from workers.framing import ReplyTooLargeError
from workers.protocol.adapter import UnreadableReplyError
from workers.protocol.pantograph import LineFramer, PantographAdapter, StartGoal
from workers.protocol.requests import Command, Request, Tactic
from workers.protocol.responses import CommandResponse, ErrorResponse, TacticResponse

adapter = PantographAdapter()


def answered(request: Request[Any], **reply: object) -> Any:
    return adapter.decode(request, json.dumps(reply).encode())


@pytest.mark.parametrize(
    ("request_", "command", "payload"),
    [
        (Tactic(tactic="intro\nh", proof_state=3), "goal.tactic", {"stateId": 3, "tactic": "intro\nh"}),
        (StartGoal(expression="∀ p, p → p"), "goal.start", {"expr": "∀ p, p → p"}),
        (
            Command(code="def a := 1", environment=0),
            "frontend.process",
            {"file": "def a := 1", "readHeader": False, "inheritEnv": False, "sorrys": True},
        ),
    ],
)
def test_requests_are_one_line_of_json(request_: Request[Any], command: str, payload: dict[str, object]) -> None:
    frame = adapter.encode(request_)
    assert frame.endswith(b"\n")
    assert frame.count(b"\n") == 1
    assert json.loads(frame) == {"cmd": command, "payload": payload}


def test_what_pantograph_has_not_is_refused_in_words() -> None:
    after = answered(Command(code="def a := 1"), units=[{"boundary": [0, 10], "messages": []}])
    assert isinstance(after, CommandResponse)
    with pytest.raises(InvalidInputError, match="definitions together"):
        adapter.encode(Command(code="#eval a", environment=after.environment))
    with pytest.raises(HeaderError, match="command line"):
        adapter.import_header("import Mathlib")


@given(st.lists(st.sampled_from([b'{"a":1}', b'{"b":"\\u2228"}', b"[]"])), st.data())
def test_lines_are_found_however_the_pipe_cuts_them(lines: list[bytes], data: st.DataObject) -> None:
    output = b"ready.\n" + b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)))))
    framer = LineFramer(1000)
    parts = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)]
    assert [frame for part in parts for frame in framer.feed(part)] == lines
    assert framer.pending_bytes == 0


def test_a_line_without_an_end_is_too_large_at_some_point() -> None:
    framer = LineFramer(10)
    with pytest.raises(ReplyTooLargeError):
        framer.feed(b"x" * 11)


def test_a_second_banner_is_no_reply() -> None:
    framer = LineFramer(100)
    assert framer.feed(b"ready.\nready.\n") == [b"ready."]


def test_goals_are_shown_as_lean_shows_them() -> None:
    goal = {
        "name": "_uniq.1",
        "userName": "left",
        "fragment": "tactic",
        "target": {"pp": "p"},
        "vars": [
            {"userName": "h", "type": {"pp": "p ∧ q"}},
            {"userName": "a", "isInaccessible": True, "type": {"pp": "Nat"}, "value": {"pp": "2"}},
        ],
    }
    reply = answered(Tactic(tactic="x", proof_state=0), nextStateId=1, goals=[goal], messages=[])
    assert isinstance(reply, TacticResponse)
    assert reply.goals == ("case left\nh : p ∧ q\na✝ : Nat := 2\n⊢ p",)
    assert reply.proof_status == "Incomplete: open goals remain"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "Completed"),
        ({"hasSorry": True}, "Incomplete: contains sorry"),
        ({"hasUnsafe": True}, "Error: the proof uses an unsafe constant"),
    ],
)
def test_a_proof_is_completed_only_without_sorry(fields: dict[str, bool], status: str) -> None:
    reply = answered(Tactic(tactic="x", proof_state=0), nextStateId=1, goals=[], messages=[], **fields)
    assert reply.proof_status == status


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ({"parseError": "expected tactic"}, "expected tactic"),
        ({"messages": [{"severity": "error", "data": "unsolved goals"}]}, "unsolved goals"),
        ({"messages": []}, "the tactic failed"),
        ({"error": "exception", "desc": "deep recursion"}, "deep recursion"),
    ],
)
def test_a_tactic_that_failed_is_a_soft_error(reply: dict[str, object], says: str) -> None:
    error = answered(Tactic(tactic="x", proof_state=0), **reply)
    assert isinstance(error, ErrorResponse)
    assert says in error.message
    assert not error.is_unknown_state


def test_an_unknown_state_is_known_as_such() -> None:
    error = answered(Tactic(tactic="x", proof_state=7), error="index", desc="Invalid state index 7")
    assert isinstance(error, ErrorResponse)
    assert error.is_unknown_state


def test_sorries_have_positions_in_characters_and_not_in_bytes() -> None:
    code = "-- ∀ ∃\ntheorem a (é : Nat) : é = é := by sorry"
    at = code.encode().index(b"sorry")
    unit = {"goalStateId": 4, "goals": [{"target": {"pp": "é = é"}}], "goalSrcBoundaries": [[at, at + 5]]}
    reply = answered(Command(code=code), units=[unit])
    assert isinstance(reply, CommandResponse)
    sorry = reply.sorries[0]
    assert (sorry.proof_state, sorry.goal) == (4, "⊢ é = é")
    assert sorry.pos == Position(2, code.split("\n")[1].index("sorry"))


@pytest.mark.parametrize(
    "frame", [b"ready.", b"Error: no", b"{", b"[]", b'{"error": "\xff"}', b'{"goals": ' + b"[" * 100_000]
)
def test_what_is_no_reply_is_not_taken_for_one(frame: bytes) -> None:
    with pytest.raises(UnreadableReplyError):
        adapter.decode(Tactic(tactic="x", proof_state=0), frame)
