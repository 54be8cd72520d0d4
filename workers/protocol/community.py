"""The protocol of leanprover-community/repl, v4.9 to v4.33: a line of JSON, a blank line; JSON back, a blank line.

Fields that a version does not know are ignored by it, and fields that came later are optional here. v4.9 leaves its
replies in a buffer when its output is a pipe: `workers.project` runs it so that they arrive.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

import msgspec

from producer.unreadable import UNREADABLE
from workers.framing import BlankLineFramer, Framer
from workers.protocol.adapter import UnreadableReplyError
from workers.protocol.requests import (
    Command,
    PickleEnvironment,
    PickleProofState,
    Request,
    Tactic,
    UnpickleEnvironment,
    UnpickleProofState,
)
from workers.protocol.responses import CommandResponse, ErrorResponse, Response, TacticResponse

R = TypeVar("R", bound=Response)

# No REPL has it: the answer is that it does not exist.
_NOWHERE = 2**31 - 1

_encode = msgspec.json.Encoder().encode
_decode_command = msgspec.json.Decoder(CommandResponse).decode
_decode_tactic = msgspec.json.Decoder(TacticResponse).decode
_decode_error = msgspec.json.Decoder(ErrorResponse).decode


def _command(request: Command) -> dict[str, object]:
    fields: dict[str, object] = {"cmd": request.code}
    if request.environment is not None:
        fields["env"] = request.environment
    if request.all_tactics:
        fields["allTactics"] = True
    if request.root_goals:
        fields["rootGoals"] = True
    if request.infotree is not None:
        fields["infotree"] = request.infotree
    return fields


def _unpickle_proof_state(request: UnpickleProofState) -> dict[str, object]:
    fields: dict[str, object] = {"unpickleProofStateFrom": str(request.path)}
    if request.environment is not None:
        fields["env"] = request.environment
    return fields


# By the request's class: its fields on the wire, and how its reply is read.
Fields = dict[type[Request[Any]], Callable[[Any], dict[str, object]]]
Decoders = dict[type[Request[Any]], Callable[[bytes], Response]]

_FIELDS: Fields = {
    Command: _command,
    Tactic: lambda request: {"tactic": request.tactic, "proofState": request.proof_state},
    PickleEnvironment: lambda request: {"env": request.environment, "pickleTo": str(request.path)},
    PickleProofState: lambda request: {"proofState": request.proof_state, "pickleTo": str(request.path)},
    UnpickleEnvironment: lambda request: {"unpickleEnvFrom": str(request.path)},
    UnpickleProofState: _unpickle_proof_state,
}
_DECODERS: Decoders = {
    Command: _decode_command,
    Tactic: _decode_tactic,
    PickleEnvironment: _decode_command,
    PickleProofState: _decode_tactic,
    UnpickleEnvironment: _decode_command,
    UnpickleProofState: _decode_tactic,
}


class CommunityAdapter:
    """The shapes of the community REPL: it takes the first that fits, so every request has one of its own."""

    name = "community"
    fields: ClassVar[Fields] = _FIELDS
    decoders: ClassVar[Decoders] = _DECODERS
    loads_onto_commands = False
    tells_loaded_goals = True
    audits_constants = False

    def framer(self, max_bytes: int) -> Framer:
        return BlankLineFramer(max_bytes)

    def import_header(self, header: str) -> Command | None:
        # An empty command without an environment imports what every Lean file imports, once instead of at every call.
        return Command(code=header)

    def greeting(self) -> Command:
        return Command(code="", environment=_NOWHERE)

    def encode(self, request: Request[R]) -> bytes:
        # JSON has no raw line break, hence the frame has exactly one line and one blank line: one more would be fatal.
        return _encode(self.fields[type(request)](request)) + b"\n\n"

    def decode(self, request: Request[R], frame: bytes) -> R | ErrorResponse:
        try:
            return cast("R", self.decoders[type(request)](frame))
        except UNREADABLE as error:
            try:
                return _decode_error(frame)
            except UNREADABLE:
                raise UnreadableReplyError(str(error)) from None
