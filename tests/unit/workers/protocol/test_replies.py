"""Whatever a REPL answers becomes typed values, and encoding these gives the answer back: nothing is lost."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workers.framing import BlankLineFramer
from workers.protocol.adapter import UnreadableReplyError
from workers.protocol.community import CommunityAdapter
from workers.protocol.requests import Command, Request, Tactic
from workers.protocol.responses import CommandResponse, ErrorResponse, TacticResponse

adapter = CommunityAdapter()

COMMAND: Request[Any] = Command(code="")
TACTIC: Request[Any] = Tactic(tactic="", proof_state=0)

AT = {"pos": {"line": 1, "column": 2}, "endPos": {"line": 1, "column": 5}}

SAMPLES = [
    pytest.param(COMMAND, {"env": 0}, id="nothing to say"),
    pytest.param(COMMAND, {"env": 4, "messages": [{"severity": "info", **AT, "data": "a → b ∧ c"}]}, id="a message"),
    pytest.param(
        COMMAND,
        {"env": 1, "messages": [{"severity": "error", "pos": {"line": 9, "column": 0}, "data": "x"}]},
        id="a message without an end",
    ),
    pytest.param(COMMAND, {"env": 1, "sorries": [{"goal": "⊢ p", "proofState": 0, **AT}]}, id="a hole"),
    pytest.param(
        COMMAND,
        {"env": 1, "tactics": [{"tactic": "rfl", "goals": "⊢ p", "proofState": 2, "usedConstants": [], **AT}]},
        id="tactics, with no constants used",
    ),
    pytest.param(
        COMMAND,
        {"env": 1, "tactics": [{"tactic": "rfl", "goals": "⊢ p", **AT}]},
        id="tactics before v4.15, which do not say what constants they used",
    ),
    pytest.param(
        COMMAND,
        {
            "env": 2,
            "infotree": [
                {"kind": "TacticInfo", "node": {"stx": {"pp": "rfl"}, "goalsAfter": []}, "children": []},
                {"kind": "hole"},
                {"kind": "context", "node": None, "children": [{"kind": "TermInfo", "node": {}, "children": []}]},
            ],
        },
        id="an information tree",
    ),
    pytest.param(TACTIC, {"proofState": 3, "goals": []}, id="a tactic before v4.19, which has no status"),
    pytest.param(
        TACTIC,
        {
            "proofState": 3,
            "goals": ["case left\n⊢ p", "case right\n⊢ q"],
            "proofStatus": "Incomplete: open goals remain",
            "sorries": [{"goal": "⊢ p", "proofState": 2}],
            "messages": [{"severity": "trace", **AT, "data": "t"}],
            "traces": ["t"],
        },
        id="a tactic with all that it may have",
    ),
    pytest.param(COMMAND, {"message": "Unknown environment."}, id="a soft error to a command"),
    pytest.param(TACTIC, {"message": "Lean error:\n…"}, id="a soft error to a tactic"),
]


@pytest.mark.parametrize(("request_", "reply"), SAMPLES)
def test_nothing_of_a_reply_is_lost(request_: Request[Any], reply: dict[str, Any]) -> None:
    response = adapter.decode(request_, json.dumps(reply).encode())
    assert json.loads(msgspec.json.encode(response)) == reply


def test_replies_are_typed_by_what_was_asked() -> None:
    assert isinstance(adapter.decode(COMMAND, b'{"env": 0}'), CommandResponse)
    assert isinstance(adapter.decode(TACTIC, b'{"proofState": 0, "goals": []}'), TacticResponse)
    assert isinstance(adapter.decode(TACTIC, b'{"message": "no"}'), ErrorResponse)


@pytest.mark.parametrize("text", ["Unknown environment.", "Unknown proof state.", "Unknown proof State."])
def test_a_state_that_the_repl_does_not_know_is_told_from_other_errors(text: str) -> None:
    response = adapter.decode(TACTIC, json.dumps({"message": text}).encode())
    assert isinstance(response, ErrorResponse)
    assert response.is_unknown_state
    assert not ErrorResponse(message="Lean error:\nUnknown environment.").is_unknown_state


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"Segmentation fault", id="no JSON"),
        pytest.param(b'{"proofState": 0, "goals": []}', id="the reply to something else"),
        pytest.param(b'{"env": "0"}', id="a field of another type"),
        pytest.param(b'{"env": 0} {"env": 1}', id="two replies without a blank line"),
        pytest.param(b'{"message": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"env": 0, "infotree": ' + b"[" * 100_000, id="nested without end"),
    ],
)
def test_what_is_no_reply_is_refused(frame: bytes) -> None:
    with pytest.raises(UnreadableReplyError):
        adapter.decode(COMMAND, frame)


def test_recorded_sessions_are_read_without_loss(request: pytest.FixtureRequest) -> None:
    """All replies of a folder `X.in` / `X.expected.out` of sessions that the community REPL's own tests record."""
    folder = request.config.getoption("--repl-transcripts")
    if folder is None:
        pytest.skip("needs recorded sessions: --repl-transcripts DIR")
    outputs = sorted(Path(folder).glob("*.expected.out"))
    assert outputs, f"no *.expected.out in {folder}"
    for output in outputs:
        framer = BlankLineFramer(64 * 1024**2)
        for frame in framer.feed(output.read_bytes() + b"\n\n"):
            reply = json.loads(frame)
            request_ = TACTIC if "proofState" in reply else COMMAND
            response = adapter.decode(request_, frame)
            assert json.loads(msgspec.json.encode(response)) == reply, output.name
