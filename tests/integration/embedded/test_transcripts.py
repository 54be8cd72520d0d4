"""Recorded sessions of the community REPL, answered again.

They are not part of this project (its repository has them in its folder `test`): name a folder that holds `X.in` and
`X.expected.out` with `--repl-transcripts`. Every reply must then equal the recorded one, value by value, but for the
sessions in `NOT_ANSWERED`.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.embedded.repl import Repl

NOT_ANSWERED = {
    "import_lean": "imports Lean, which is not in the core library",
    "pickle_environment_with_imports": "imports Lean, which is not in the core library",
    "file": "reads a file of that project",
    "file_env": "reads a file of that project",
    "pickle_open_2": "reads a pickle made by another session there",
    "pickle_open_scoped_2": "reads a pickle made by another session there",
    "pickle_proof_state_2": "reads a pickle made by another session there",
    "no_goal_sorry": "needs `set` of the state monads, which are not in the core library",
    "infotree": "`constructor` has options in Lean 4.35, and a warning, which it had not in 4.33",
}


def blocks(text: str) -> list[str]:
    return [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = metafunc.config.getoption("--repl-transcripts")
    sessions = sorted(Path(folder).glob("*.in")) if folder else []
    parameters = [
        pytest.param(
            session,
            id=session.stem,
            marks=pytest.mark.skip(NOT_ANSWERED[session.stem]) if session.stem in NOT_ANSWERED else (),
        )
        for session in sessions
    ] or [pytest.param(None, id="none", marks=pytest.mark.skip("no --repl-transcripts DIR was given"))]
    metafunc.parametrize("session", parameters)


def test_a_recorded_session_is_answered_as_recorded(session: Path) -> None:
    expected: list[Any] = [json.loads(b) for b in blocks(session.with_suffix(".expected.out").read_text("utf-8"))]
    requests = blocks(session.read_text("utf-8"))
    with Repl() as repl:
        replies = []
        for request in requests:
            repl.send(request.strip().encode() + b"\n\n")
            replies.append(repl.receive())
    assert replies == expected
