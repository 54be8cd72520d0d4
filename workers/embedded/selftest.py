"""A few requests with known answers, asked at every start: a wrong record layout must never go unnoticed.

Field counts are compared elsewhere; this runs through all that reads Lean's records (messages, info trees, goals,
tactics, the kernel) in some five milliseconds, and warms up what the first request would otherwise wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.embedded.errors import LeanLibraryError

if TYPE_CHECKING:
    from workers.embedded.message import Json
    from workers.embedded.session import Session

# `∀ (p : Prop) (h : p), p` and the function that proves it.
_CONSTANTS: Json = {
    "names": [["u"]],
    "levels": [(0,)],
    "expressions": [(0, 1), (0, 0), (7, 1, 0), (3, 0), (7, 3, 2), (6, 1, 1), (6, 3, 5)],
    "constants": [["theorem", 0, [], False, 4, 6]],
}

_EXCHANGES: tuple[tuple[str, Json, Json], ...] = (
    (
        "command",
        {"cmd": "theorem t (p : Prop) (h : p) : p := by\n  sorry\nexample : Prop := sorry\n#check t"},
        {
            "env": 0,
            "messages": [
                {
                    "severity": "warning",
                    "pos": {"line": 1, "column": 8},
                    "endPos": {"line": 1, "column": 9},
                    "data": "declaration uses `sorry`",
                },
                {
                    "severity": "warning",
                    "pos": {"line": 3, "column": 0},
                    "endPos": {"line": 3, "column": 7},
                    "data": "declaration uses `sorry`",
                },
                {
                    "severity": "info",
                    "pos": {"line": 4, "column": 0},
                    "endPos": {"line": 4, "column": 6},
                    "data": "t (p : Prop) (h : p) : p",
                },
            ],
            "sorries": [
                {
                    "proofState": 0,
                    "goal": "p : Prop\nh : p\n⊢ p",
                    "pos": {"line": 2, "column": 2},
                    "endPos": {"line": 2, "column": 7},
                },
                {
                    "proofState": 1,
                    "goal": "⊢ Prop",
                    "pos": {"line": 3, "column": 18},
                    "endPos": {"line": 3, "column": 23},
                },
            ],
        },
    ),
    (
        "tactic",
        {"tactic": "exact h", "proofState": 0},
        {"proofState": 2, "goals": [], "proofStatus": "Completed"},
    ),
    (
        "tactic",
        {"tactic": "exact sorry", "proofState": 1},
        {
            "sorries": [{"proofState": 3, "goal": "⊢ Prop"}],
            "proofState": 4,
            "goals": [],
            "proofStatus": "Incomplete: contains sorry",
        },
    ),
    ("command", {"cmd": "theorem u (p : Prop) (h : p) : p := h"}, {"env": 1}),
    ("command", {"cmd": ""}, {"env": 2}),
    (
        "export",
        {"env": 1, "exportConstants": {"names": ["u", "v"], "header": 2}},
        {"found": [0, None], "constants": _CONSTANTS},
    ),
    (
        "audit",
        {"env": 2, "auditConstants": {"theorems": [["u", 0]], "candidate": _CONSTANTS}},
        {"theorems": [{"name": "u", "kind": "theorem", "axioms": [], "declared": []}]},
    ),
)


def check(session: Session) -> None:
    """Raise LeanLibraryError unless a fresh session answers as it must; it is fresh again afterwards."""
    for name, arguments, expected in _EXCHANGES:
        reply = session.handle(name, arguments)
        if reply != expected:
            raise LeanLibraryError(
                f"the Lean library does not behave as the one that this version was made for: {arguments} was answered"
                f" with {reply}"
            )
    session.reset()
