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

OURS = Path(__file__).with_name("sessions")

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


def sessions(config: pytest.Config) -> list[Path]:
    """Ours, and those of a folder that was named; `X.in` is what was sent, `X.expected.out` what was answered."""
    folder = config.getoption("--repl-transcripts")
    found = sorted(Path(folder).glob("*.in")) if folder else []
    if folder and not found:
        raise pytest.UsageError(f"no *.in in {folder}")
    return [*sorted(OURS.glob("*.in")), *found]


def blocks(text: str) -> list[str]:
    return [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]


def typed(asked: dict[str, Any]) -> Request[Any] | None:
    """The request as this package would build it; None for one that it has no use for."""
    match asked:
        case {"tactic": tactic, "proofState": number}:
            return Tactic(tactic=tactic, proof_state=number)
        case {"cmd": code}:
            options = {"env": "environment", "allTactics": "all_tactics", "rootGoals": "root_goals"}
            return Command(code=code, **{options.get(key, key): asked[key] for key in asked if key != "cmd"})
        case _:
            return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "session" in metafunc.fixturenames:
        metafunc.parametrize("session", sessions(metafunc.config), ids=lambda path: path.stem)


def test_a_session_is_read_without_loss_and_asked_in_the_same_words(session: Path) -> None:
    """Ours are written by hand, one for each release that changed a thing; `--repl-transcripts` adds recorded ones."""
    output = session.with_suffix(".expected.out").read_bytes().replace(b"\r\n", b"\n")
    replies = BlankLineFramer(64 * 1024**2).feed(output + b"\n\n")
    asked = [json.loads(block.replace("\n", "")) for block in blocks(session.read_text("utf-8"))]
    assert len(replies) == len(asked)
    for question, frame in zip(asked, replies, strict=True):
        is_tactic = not question.keys().isdisjoint({"tactic", "unpickleProofStateFrom"}) or (
            question.keys() == {"proofState", "pickleTo"}
        )
        response = adapter.decode(TACTIC if is_tactic else COMMAND, frame)
        assert json.loads(msgspec.json.encode(response)) == json.loads(frame)
        kinds = (TacticResponse if is_tactic else CommandResponse, ErrorResponse)
        assert isinstance(response, kinds)
        if (request := typed(question)) is not None:
            sent = json.loads(adapter.encode(request))
            assert sent == {key: value for key, value in question.items() if value is not False}
