"""Asking Lean which axioms theorems rest on: `#print axioms`, in the environment that the text left behind.

It is asked in the candidate's own environment, so a text that redefines `#print axioms` could answer for Lean: the
verdict of a text that was written to deceive needs a stronger audit (`producer.operation.VerifyProof`).
"""

import re
from collections.abc import Sequence

from producer.outcome import Outcome
from producer.result import RunCodeResult
from producer.verdict import Axioms

# "'t' depends on axioms: [propext, Quot.sound]", wrapped over lines where it is long.
_DEPENDS = re.compile(r"'(?P<name>.+)' depends on axioms: \[(?P<axioms>[^\]]*)\]", re.DOTALL)
_NONE = re.compile(r"'(?P<name>.+)' does not depend on any axioms")


def question(theorems: Sequence[str]) -> str:
    """Lean commands that print each theorem's axioms, a line each."""
    return "\n".join(f"#print axioms {theorem}" for theorem in theorems)


def read_answer(theorems: Sequence[str], result: RunCodeResult) -> Axioms:
    """What `question` was answered. A theorem that Lean did not print is one that it does not know."""
    if result.outcome not in (Outcome.OK, Outcome.LEAN_ERROR):
        return Axioms(outcome=result.outcome, reason=result.reason)
    found: dict[str, tuple[str, ...] | None] = dict.fromkeys(theorems)
    for message in result.messages:
        # By line, for Lean may print a name in another way than it was written.
        if message.severity != "info" or message.pos is None or not 1 <= message.pos.line <= len(theorems):
            continue
        theorem = theorems[message.pos.line - 1]
        if (depends := _DEPENDS.fullmatch(message.data.strip())) is not None:
            found[theorem] = tuple(depends["axioms"].replace(",", " ").split())
        elif _NONE.fullmatch(message.data.strip()) is not None:
            found[theorem] = ()
    return Axioms(by_theorem=found)
