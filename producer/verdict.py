"""The verdict on a text: pure functions of what Lean answered.

`not_proved` is Lean's judgement, the same at every run; `error` says that there is none, since the run was cut short.
"""

import re
from collections.abc import Iterator

import msgspec

from producer.header import split_header
from producer.judgement import Judgement, Verdict
from producer.operation import VerifyProof, first_line
from producer.outcome import Outcome
from producer.result import AuditedTheorem, Message, RunCodeResult

SORRY_AXIOM = "sorryAx"

MAX_LEAN_ERRORS = 3
# What Lean says of an import that it cannot find; no error of the text has these words for its whole reason.
_UNKNOWN_IMPORT = re.compile(r"(?i)unknown (module|package)|object file '[^']*' of module \S+ does not exist")
MAX_ERROR_CHARACTERS = 2_000


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was found when the constants behind a proof were looked at.

    `rejected` says that the kernel does not accept them, and `mismatch` what in them is not the statement's; then no
    theorem is named. `external` is what an external checker has against the proof.
    """

    theorems: tuple[AuditedTheorem, ...] = ()
    rejected: str = ""
    mismatch: str = ""
    external: str = ""


def refusals(operation: VerifyProof) -> tuple[str, ...]:
    """Reasons not to ask Lean at all: a proof is looked at behind the statement's imports, and nowhere else."""
    wanted, given = split_header(operation.statement).header, split_header(operation.proof).header
    if operation.statement and given and given.split() != wanted.split():
        return ("statement_mismatch: the proof imports other modules than the statement",)
    if "prelude" in f"{wanted} {given}".split():
        # Without the library nothing means what it is called: not the axioms that are allowed, and not the numbers
        # for which the kernel has shortcuts.
        return ("forbidden_command: prelude",)
    return ()


def judge_proof(operation: VerifyProof, text: RunCodeResult, audit: Audit | None) -> Judgement:
    """The verdict on a proof.

    Args:
        operation: what was asked.
        text: what became of the proof's whole text, run in a fresh environment.
        audit: of the constants that came of it; None where the text was not fit for one.
    """
    if text.outcome is Outcome.LEAN_ERROR or (text.ok and text.errors):
        return Judgement(verdict=Verdict.NOT_PROVED, outcome=Outcome.LEAN_ERROR, reasons=_lean_errors(text))
    if not text.ok:
        return _cut_short(text.outcome, text.reason)
    reasons = tuple(dict.fromkeys(_objections(operation, text, Audit() if audit is None else audit)))
    return Judgement(verdict=Verdict.NOT_PROVED if reasons else Verdict.PROVED, outcome=text.outcome, reasons=reasons)


def _objections(operation: VerifyProof, text: RunCodeResult, audit: Audit) -> Iterator[str]:
    if audit.mismatch:
        yield f"statement_mismatch: {first_line(audit.mismatch, 200)}"
        return
    # Without a statement all of the text is meant; with one, only what its theorem rests on.
    tells_of_sorry = bool(text.sorries) or any(map(_tells_of_sorry, text.messages))
    if any(SORRY_AXIOM in each.axioms for each in audit.theorems) or (tells_of_sorry and not operation.statement):
        yield "contains_sorry"
    if audit.rejected:
        yield f"kernel_rejected: {first_line(audit.rejected, 200)}"
    elif not audit.theorems:
        yield "no_theorem: the text declares none by name (an `example` leaves nothing to audit)"
    allowed = {*operation.allowed_axioms, SORRY_AXIOM}
    for theorem in audit.theorems:
        if not theorem.kind:
            yield f"missing_declaration: {theorem.name}"
        elif theorem.kind != "theorem":
            yield f"not_a_theorem: {theorem.name}"
    used = {axiom for theorem in audit.theorems for axiom in theorem.axioms}
    # An axiom of the candidate's own is never one of Lean's, whatever its name.
    own = {axiom for theorem in audit.theorems for axiom in theorem.declared}
    if audit.external:
        yield f"external_rejected: {first_line(audit.external, 200)}"
    yield from (f"forbidden_axiom: {axiom}" for axiom in sorted((used - allowed) | own))


def _cut_short(outcome: Outcome, reason: str) -> Judgement:
    reasons = (f"{outcome}: {first_line(reason, 200)}" if reason else str(outcome),)
    return Judgement(verdict=Verdict.ERROR, outcome=outcome, reasons=reasons)


def _lean_errors(result: RunCodeResult) -> tuple[str, ...]:
    shown = [f"lean_error: {_at(error)}{_cut(error.data)}" for error in result.errors[:MAX_LEAN_ERRORS]]
    if not shown and _UNKNOWN_IMPORT.match(result.reason):
        return (f"unknown_import: {first_line(result.reason, 200)}: the Lean of these workers has no such module",)
    if not shown:
        return (f"lean_error: {_cut(result.reason)}" if result.reason else "lean_error",)
    if (more := len(result.errors) - len(shown)) > 0:
        shown.append(f"lean_error: and {more} more")
    return tuple(shown)


def _cut(text: str) -> str:
    """All of an ordinary message: what matters is seldom in its first line."""
    text = text.strip()
    return text if len(text) <= MAX_ERROR_CHARACTERS else text[: MAX_ERROR_CHARACTERS - 1] + "…"


def _at(message: Message) -> str:
    return "" if message.pos is None else f"{message.pos.line}:{message.pos.column}: "


def _tells_of_sorry(message: Message) -> bool:
    # Lean has quoted it as 'sorry' and as `sorry`, by version.
    return message.severity == "warning" and message.data.startswith("declaration uses ") and "sorry" in message.data
