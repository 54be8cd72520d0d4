"""What a REPL answers, typed, with nothing left out: encoding a response gives the reply back.

The fields' names on the wire are the community REPL's; other adapters build the same from what their REPL says.
"""

from typing import Any, Literal

import msgspec

from producer.result import AuditedTheorem, Position


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    severity: Literal["trace", "info", "warning", "error"]
    data: str
    pos: Position | None = None
    end_pos: Position | None = None


class Sorry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A hole and the proof state to go on from. One that a tactic left has no position."""

    goal: str
    proof_state: int | None = None
    pos: Position | None = None
    end_pos: Position | None = None


class TacticInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A tactic met while elaborating a command, as `all_tactics` asks for. `used_constants` came with v4.15."""

    tactic: str
    goals: str
    pos: Position
    end_pos: Position
    proof_state: int | None = None
    used_constants: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class InfoTree(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node of Lean's information tree; what `node` holds depends on `kind`."""

    kind: str
    node: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    children: tuple["InfoTree", ...] | msgspec.UnsetType = msgspec.UNSET


class Response(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The root of what a process can answer."""


class CommandResponse(Response, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Commands were elaborated, with or without errors; `environment` is the one after them."""

    environment: int = msgspec.field(name="env")
    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    tactics: tuple[TacticInfo, ...] = ()
    infotree: tuple[InfoTree, ...] = ()

    @property
    def errors(self) -> tuple[Message, ...]:
        return tuple(message for message in self.messages if message.severity == "error")


class TacticResponse(Response, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A tactic was run. Empty goals alone do not say that it went well: `proof_status` does, since v4.19."""

    proof_state: int
    goals: tuple[str, ...]
    proof_status: str = ""
    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    traces: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Message, ...]:
        return tuple(message for message in self.messages if message.severity == "error")


class ConstantsResponse(Response, frozen=True, kw_only=True):
    """Constants as data, which nobody has looked at; `found` says where each name is among them, if anywhere.

    `others` are further theorems, each with where it is.
    """

    found: tuple[int | None, ...]
    constants: msgspec.Raw
    others: tuple[tuple[str, int], ...] = ()


class AuditResponse(Response, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the kernel found: of each theorem, or why it did not come to that. Nothing else may pass for one."""

    theorems: tuple[AuditedTheorem, ...] = ()
    rejected: str = ""
    mismatch: str = ""


class ErrorResponse(Response, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A soft error: nothing came of the request, and the process is as it was."""

    message: str

    @property
    def is_unknown_state(self) -> bool:
        """Whether the process does not know the environment or proof state it was asked about."""
        # All three spellings occur, the last one in the pickling code.
        return self.message in ("Unknown environment.", "Unknown proof state.", "Unknown proof State.")
