"""What a verdict is: the words that results, files and programs share. `producer.verdict` says how one is reached."""

import enum
from typing import Literal

import msgspec

from producer.outcome import Outcome


class Verdict(enum.StrEnum):
    PROVED = "proved"
    NOT_PROVED = "not_proved"
    ERROR = "error"


class Strength(enum.StrEnum):
    """How a proof was checked; docs/verdicts.md says what each withstands."""

    KERNEL = "kernel"  # its constants were checked again by the kernel of a process that elaborates nothing
    COMMAND = "command"  # Lean was asked about its constants, in a process that saw no more of it; no metaprograms
    EXTERNAL = "external"  # beside that, by the checker that the workers are configured with


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
