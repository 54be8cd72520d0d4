"""The definitions before a statement's theorem: a proof for a REPL without constants must begin with their lines."""

import re

from producer.header import split_header
from producer.theorems import comment_end
from workers.verification.errors import StatementError

_THEOREM = re.compile(r"\b(?:theorem|lemma)\b")
_BLANK = " \t\r\n"
_MODIFIERS = re.compile(r"\s*(?:(?:@\[[^\]\n]*\]|private|protected|noncomputable|nonrec)\s*)*")
# What can only be the beginning of another command; anything else might go on with the one before.
_COMMAND = re.compile(
    r"(?:theorem|lemma|def|abbrev|instance|structure|inductive|class|example|axiom|opaque|namespace|section|end|open|"
    r"variable|universe|set_option|private|protected|noncomputable|mutual)(?![\w'])|@\[|#(?:check|print|reduce|synth|guard_msgs)(?![\w'])"
)


def own_definitions(statement: str) -> list[str]:
    """The lines of a statement before its last theorem: those that a proof must begin with.

    Raises:
        StatementError: the theorem does not begin on a line of its own.
    """
    body = split_header(statement).body
    starts = [found.start() for found in _THEOREM.finditer(body)]
    before, _, modifiers = body[: starts[-1] if starts else 0].rpartition("\n")
    if not _MODIFIERS.fullmatch(modifiers):
        raise StatementError("the statement's theorem must begin on a line of its own, for this worker's REPL")
    return _lines(before)


def begins_with(proof: str, definitions: list[str]) -> bool:
    """Whether a proof has exactly these lines first, and then a new command."""
    lines = _lines(split_header(proof).body)
    if not definitions:
        return True
    if lines[: len(definitions)] != definitions:
        return False
    rest = _behind_comments("\n".join(lines[len(definitions) :]))
    if rest.startswith("/--"):
        # It may document another constructor of the statement's last type.
        rest = rest[comment_end(rest, len("/--")) :].lstrip(_BLANK)
    return not rest or _COMMAND.match(rest) is not None


def _behind_comments(code: str) -> str:
    """What comes after comments on lines of their own: behind one in its line, a type's next field might come."""
    while code.startswith(("--", "/-")) and not code.startswith(("/--", "/-!")):
        end = comment_end(code, 2) if code.startswith("/-") else code.find("\n")
        if end < 0 or not code.startswith("\n", end):
            break
        code = code[end + 1 :]
    return code


def _lines(text: str) -> list[str]:
    """The lines that are not empty, ended as Lean ends them: after U+2028, say, a comment goes on."""
    return [stripped for line in text.split("\n") if (stripped := line.rstrip(_BLANK))]
