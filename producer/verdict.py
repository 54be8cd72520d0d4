"""The verdict on a text: a pure function of what Lean answered.

`not_proved` is Lean's judgement, the same at every run; `error` says that there is none, since the run was cut short.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from producer.operation import first_line
from producer.outcome import Outcome
from producer.result import Message, RunCodeResult

# What Lean's own library rests on; everything else must be asked for.
ALLOWED_AXIOMS = frozenset({"propext", "Classical.choice", "Quot.sound"})
SORRY_AXIOM = "sorryAx"

MAX_LEAN_ERRORS = 3


class Verdict(enum.StrEnum):
    PROVED = "proved"
    NOT_PROVED = "not_proved"
    ERROR = "error"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict and, unless it is `proved`, why. Reasons begin with a word that programs may rely on."""

    verdict: Verdict
    outcome: Outcome
    reasons: tuple[str, ...] = ()


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a text is to end; what is left out may be anything. `reason` is the beginning of one of the reasons."""

    verdict: Literal["proved", "not_proved", "error"] | None = None
    outcome: Outcome | None = None
    reason: str = ""

    def is_met(self, judgement: Judgement) -> bool:
        return (
            self.verdict in (None, judgement.verdict)
            and self.outcome in (None, judgement.outcome)
            and (not self.reason or any(reason.startswith(self.reason) for reason in judgement.reasons))
        )


class Axioms(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit found: for each theorem the axioms that it rests on, or None where Lean does not know the name.

    An `outcome` other than `ok` says that the audit itself was cut short.
    """

    outcome: Outcome = Outcome.OK
    reason: str = ""
    by_theorem: Mapping[str, tuple[str, ...] | None] = {}


def needs_audit(result: RunCodeResult, theorems: Sequence[str]) -> bool:
    """Whether axioms can still change the verdict."""
    return result.ok and not result.errors and bool(theorems)


def judge(
    result: RunCodeResult,
    theorems: Sequence[str],
    axioms: Axioms | None,
    *,
    allowed: frozenset[str] = ALLOWED_AXIOMS,
) -> Judgement:
    """The verdict on a text.

    Args:
        result: what became of the whole text, run in a fresh environment.
        theorems: the names that it declares.
        axioms: the audit of these, or None when `needs_audit` says no.
        allowed: axioms that a proof may rest on.
    """
    if result.outcome is Outcome.LEAN_ERROR or (result.ok and result.errors):
        return Judgement(verdict=Verdict.NOT_PROVED, outcome=result.outcome, reasons=_lean_errors(result))
    if not result.ok:
        return _cut_short(result.outcome, result.reason)
    if axioms is not None and axioms.outcome is not Outcome.OK:
        return _cut_short(axioms.outcome, f"while its axioms were looked at: {axioms.reason}")
    reasons = [] if theorems else ["no_theorem: the text declares none by name (an `example` leaves nothing to audit)"]
    found = {} if axioms is None else axioms.by_theorem
    used = {axiom for theorem in theorems for axiom in found.get(theorem) or ()}
    if result.sorries or SORRY_AXIOM in used or any(map(_tells_of_sorry, result.messages)):
        reasons.append("contains_sorry")
    reasons.extend(f"missing_declaration: {theorem}" for theorem in theorems if found.get(theorem) is None)
    reasons.extend(f"forbidden_axiom: {axiom}" for axiom in sorted(used - allowed - {SORRY_AXIOM}))
    verdict = Verdict.NOT_PROVED if reasons else Verdict.PROVED
    return Judgement(verdict=verdict, outcome=result.outcome, reasons=tuple(reasons))


def _cut_short(outcome: Outcome, reason: str) -> Judgement:
    reasons = (f"{outcome}: {first_line(reason, 200)}" if reason else str(outcome),)
    return Judgement(verdict=Verdict.ERROR, outcome=outcome, reasons=reasons)


def _lean_errors(result: RunCodeResult) -> tuple[str, ...]:
    shown = [f"lean_error: {_at(error)}{first_line(error.data, 200)}" for error in result.errors[:MAX_LEAN_ERRORS]]
    if not shown:
        return (f"lean_error: {first_line(result.reason, 200)}" if result.reason else "lean_error",)
    if (more := len(result.errors) - len(shown)) > 0:
        shown.append(f"lean_error: and {more} more")
    return tuple(shown)


def _at(message: Message) -> str:
    return "" if message.pos is None else f"{message.pos.line}:{message.pos.column}: "


def _tells_of_sorry(message: Message) -> bool:
    # Lean has quoted it as 'sorry' and as `sorry`, by version.
    return message.severity == "warning" and message.data.startswith("declaration uses ") and "sorry" in message.data
