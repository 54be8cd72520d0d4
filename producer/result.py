"""What comes back. A reply on the wire leaves out what the asker knows: `producer.reply` fills it in."""

import enum
from typing import Literal

import msgspec

from producer.judgement import Judgement, Strength, Verdict
from producer.outcome import Outcome
from producer.state import StateRef

# The status of a proof that Lean calls finished, in the community REPL's word for it.
PROOF_COMPLETED = "Completed"


class Position(msgspec.Struct, frozen=True):
    """Line from 1, column from 0, as Lean counts them; they are those of the submitted text."""

    line: int
    column: int


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    severity: Literal["trace", "info", "warning", "error"]
    data: str
    pos: Position | None = None
    end_pos: Position | None = None


class Sorry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hole: its goal, and the proof state from which tactics can go on."""

    goal: str
    pos: Position | None = None
    end_pos: Position | None = None
    state: StateRef | None = None


class Restored(enum.StrEnum):
    """By which way the operation's state was there."""

    NOTHING = "nothing"  # it was never needed, or never reached
    WARM = "warm"  # in memory on the process that took the operation
    STEP = "step"  # an ancestor was in memory; the steps after it were run again
    BLOB = "blob"  # the stored pickle was loaded onto a warm environment
    REPLAY = "replay"  # all steps were run again from the header


class Timing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the time went, in seconds. `queued` compares two machines' clocks, the others do not."""

    queued_seconds: float = 0.0  # from publishing until a worker took it
    waiting_seconds: float = 0.0  # on the worker, until a REPL process was free
    restoring_seconds: float = 0.0  # until the state was there, imports included
    lean_seconds: float = 0.0  # in Lean, for what was asked
    total_seconds: float = 0.0  # as the caller saw it; filled in by the client


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """What every result says. `reason` is for people, and empty when all went well."""

    outcome: Outcome
    reason: str = ""
    restored: Restored = Restored.NOTHING
    timing: Timing = Timing()
    project: str = ""  # fingerprint of the Lean project that gave the answer
    worker: str = ""  # which worker answered
    attempt: int = 1  # which delivery this was
    cached: bool = False  # answered from memory

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


class RunCodeResult(Result, frozen=True, kw_only=True, omit_defaults=True, tag="run_code"):
    """`state` is the environment after the commands; also after errors, as in Lean."""

    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    state: StateRef | None = None

    @property
    def errors(self) -> tuple[Message, ...]:
        return tuple(message for message in self.messages if message.severity == "error")


class TacticResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one tactic ended. `state` is there when the outcome is ok; `goals` is empty when it closed them all."""

    outcome: Outcome
    reason: str = ""
    goals: tuple[str, ...] = ()
    # In the REPL's words: "Completed", "Incomplete: open goals remain", … Before v4.19 it has none; where no goals are
    # left, the worker then says one.
    proof_status: str = ""
    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    lean_seconds: float = 0.0
    state: StateRef | None = None

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def is_complete(self) -> bool:
        """Whether Lean calls the proof finished. A claim, not a verdict: only a check of the whole text is one."""
        return self.proof_status == PROOF_COMPLETED


class RunTacticsResult(Result, frozen=True, kw_only=True, omit_defaults=True, tag="run_tactics"):
    """One `TacticResult` for each tactic, in order. The outcome is ok when every one was tried, whatever came of it.

    A tactic that no Lean source could hold is not tried, and `invalid_request` by itself.
    """

    tactics: tuple[TacticResult, ...] = ()


class ExportStateResult(Result, frozen=True, kw_only=True, omit_defaults=True, tag="export_state"):
    """`state` is the same state, and knows its blob where one could be made."""

    state: StateRef | None = None


class ImportStateResult(Result, frozen=True, kw_only=True, omit_defaults=True, tag="import_state"):
    """`goals` of a proof state; none for an environment."""

    goals: tuple[str, ...] = ()
    state: StateRef | None = None


class AuditedTheorem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A theorem as the audit found it: as what it was declared (empty: not at all), and on which axioms it rests."""

    name: str
    kind: str = ""
    axioms: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()  # those among them that the candidate declared itself


class VerifyProofResult(Result, frozen=True, kw_only=True, omit_defaults=True, tag="verify_proof"):
    """`verdict` is `error` where the check was cut short, and then says nothing about the proof.

    The outcome is how the proof's text ran: `ok` also where it does not prove what was asked. `reasons` are for
    programs, each beginning with a word of docs/verdicts.md.
    """

    verdict: Verdict = Verdict.ERROR
    reasons: tuple[str, ...] = ()
    strength: Strength | None = None  # how it was checked; None where it did not come to that
    theorems: tuple[AuditedTheorem, ...] = ()
    messages: tuple[Message, ...] = ()  # what Lean said of the proof's text

    @property
    def is_proved(self) -> bool:
        return self.verdict is Verdict.PROVED

    @property
    def judgement(self) -> Judgement:
        """The verdict and its reasons; where nothing was run, the reason why."""
        reasons = self.reasons
        if not reasons and self.verdict is Verdict.ERROR:
            reasons = (f"{self.outcome}: {' '.join(self.reason.split())[:200]}" if self.reason else str(self.outcome),)
        return Judgement(verdict=self.verdict, outcome=self.outcome, reasons=reasons)


AnyResult = RunCodeResult | RunTacticsResult | ExportStateResult | ImportStateResult | VerifyProofResult

RESULTS: dict[str, type[AnyResult]] = {
    str(each.__struct_config__.tag): each
    for each in (RunCodeResult, RunTacticsResult, ExportStateResult, ImportStateResult, VerifyProofResult)
}
