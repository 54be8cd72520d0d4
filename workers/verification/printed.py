"""What Lean is asked, in commands, of an environment of constants alone, and what its answers say.

Everything is printed in full (arguments, levels, coercions, and numbers as what they are), so that nothing is left to
notation. Lean's answers are told apart by their lines: it may print a name in another way than it was asked for.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from producer.theorems import NAME
from workers.protocol.responses import CommandResponse, Message

IN_FULL = "set_option pp.all true\nset_option pp.maxSteps 10000000\nset_option pp.deepTerms true"
"""Options for the commands behind it."""

# '@t.{u_1, u_2} : ∀ …'; a name may be in guillemets.
_SIGNATURE = re.compile(r"@?(?:«[^»]*»|[^«\s{:])+?(?:\.\{(?P<levels>[^}]*)\})?\s+:\s+(?P<type>.*)", re.DOTALL)
_KIND = re.compile(r"(?:@\[[^\]]*\]\s*)?(?:(?:private|protected|noncomputable|unsafe|nonrec)\s+)*(?P<kind>[a-z]+)\b")
_NAMES = re.compile(NAME)


class Signature(NamedTuple):
    """A constant's universe parameters and type, as printed."""

    levels: str
    type: str

    @property
    def level_count(self) -> int:
        return len(self.levels.split(",")) if self.levels else 0


def check(names: Iterable[str]) -> str:
    """Commands that print the signatures of constants, a line each."""
    return "\n".join(f"#check @_root_.{name}" for name in names)


def definitions(names: Iterable[str]) -> str:
    """Commands that print constants with their values, a line each."""
    return "\n".join(f"#print _root_.{name}" for name in names)


def comparison(name: str, theorem: str, wanted: Signature) -> str:
    """A theorem called `name` that Lean accepts if `theorem` has the wanted type, as far as the kernel can tell."""
    levels = f".{{{wanted.levels}}}" if wanted.levels else ""
    return (
        f"set_option autoImplicit false in\ntheorem {name}{levels} :\n  ({wanted.type})\n  := @_root_.{theorem}{levels}"
    )


def answers(names: Sequence[str], response: CommandResponse) -> dict[str, str]:
    """What was said in the line of each name, where all went well."""
    wrong = {_line(message) for message in response.errors}
    said: dict[str, str] = {}
    for message in response.messages:
        line = _line(message)
        if message.severity == "info" and line not in wrong and 1 <= line <= len(names):
            said.setdefault(names[line - 1], message.data)
    return said


def _line(message: Message) -> int:
    return 0 if message.pos is None else message.pos.line


def signature(printed: str) -> Signature | None:
    """What `#check` printed of a constant; None for anything else."""
    found = _SIGNATURE.fullmatch(printed)
    return None if found is None else Signature(found["levels"] or "", found["type"])


def kind(printed: str) -> str:
    """What `#print` printed a constant as: "theorem", "def", "axiom", …; empty for anything else."""
    found = _KIND.match(printed)
    return "" if found is None else found["kind"]


def names_in(printed: str) -> list[str]:
    """Whatever could be a constant in what Lean printed, each once."""
    return list(dict.fromkeys(_NAMES.findall(printed)))
