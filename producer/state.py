"""References to Lean states: the recipe is the truth, a blob is only a cache for it.

A `StateRef` says how a state comes about: the project, the header that is imported, and the steps after it. Any worker
of that project can restore it from nothing else. It names no host and needs no lookup, so it can be kept in a replay
buffer, logged, or sent to another machine as JSON.
"""

import hashlib
from typing import Literal, Self

import msgspec

VERSION = 1


class CommandStep(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """Lean commands were elaborated: from one environment to the next."""

    code: str


class SorryStep(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """One of the holes that the last step left, by its position in the reply: into a proof state."""

    index: int


class TacticStep(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """A tactic was run: from one proof state to the next."""

    tactic: str


Step = CommandStep | SorryStep | TacticStep


class BlobRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored pickle that stands for the first `steps` steps of a recipe."""

    sha256: str
    size_bytes: int
    steps: int
    signature: str = ""  # HMAC by the fleet's key over what the blob stands for; workers refuse others


class StateRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An environment or a proof state, as the steps that lead to it.

    `project` is the fingerprint of the Lean project that the steps were run in, or empty where none was run yet.
    """

    header: str = ""
    steps: tuple[Step, ...] = ()
    project: str = ""
    blob: BlobRef | None = None
    v: int = VERSION

    @property
    def id(self) -> str:
        """SHA-256, in hex, of the canonical form: `[version, project, header, steps]` as compact UTF-8 JSON.

        The blob is left out: with or without it, it is the same state.
        """
        canonical = msgspec.json.encode([self.v, self.project, self.header, self.steps])
        return hashlib.sha256(canonical).hexdigest()

    @property
    def kind(self) -> Literal["environment", "proof_state"]:
        is_environment = not self.steps or isinstance(self.steps[-1], CommandStep)
        return "environment" if is_environment else "proof_state"

    @property
    def parent(self) -> Self | None:
        """The state before the last step, or None for a bare header."""
        if not self.steps:
            return None
        blob = self.blob if self.blob is not None and self.blob.steps < len(self.steps) else None
        return msgspec.structs.replace(self, steps=self.steps[:-1], blob=blob)

    def then(self, *steps: Step) -> Self:
        """The state after further steps."""
        return msgspec.structs.replace(self, steps=self.steps + steps)

    def __str__(self) -> str:
        return f"{self.kind} {self.id[:12]} ({len(self.steps)} steps)"
