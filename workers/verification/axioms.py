"""Asking Lean which axioms theorems rest on: `#print axioms`, in the environment that a text left behind."""

import re
from collections.abc import Sequence

from workers.protocol.responses import Message

# "'t' depends on axioms: [propext, Quot.sound]", wrapped over lines where it is long.
_DEPENDS = re.compile(r"'(?P<name>.+)' depends on axioms: \[(?P<axioms>[^\]]*)\]", re.DOTALL)
_NONE = re.compile(r"'(?P<name>.+)' does not depend on any axioms")


def question(theorems: Sequence[str]) -> str:
    """Lean commands that print each theorem's axioms, a line each."""
    return "\n".join(f"#print axioms {theorem}" for theorem in theorems)


def read_answer(theorems: Sequence[str], messages: Sequence[Message]) -> dict[str, tuple[str, ...] | None]:
    """What `question` was answered: each theorem's axioms, or None for one that Lean does not know."""
    found: dict[str, tuple[str, ...] | None] = dict.fromkeys(theorems)
    for message in messages:
        # By line, for Lean may print a name in another way than it was written.
        if message.severity != "info" or message.pos is None or not 1 <= message.pos.line <= len(theorems):
            continue
        theorem = theorems[message.pos.line - 1]
        if (depends := _DEPENDS.fullmatch(message.data.strip())) is not None:
            found[theorem] = tuple(depends["axioms"].replace(",", " ").split())
        elif _NONE.fullmatch(message.data.strip()) is not None:
            found[theorem] = ()
    return found
