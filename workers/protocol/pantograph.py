"""Pantograph's protocol: a JSON object on one line, JSON back on one line, and `ready.` when the process has started.

Written from its documentation (`doc/repl.md`, `Pantograph/Protocol.lean`) and run against a scripted peer only. What is
different there, and how it is met here:

- Modules are imported by the command line (`pantograph-repl Init Mathlib`): no text can bring imports of its own.
- A process has one environment. Commands are elaborated in it and leave it as it is; what they define is gone then.
- All sorries of one declaration are goals of one state; they are given as one sorry whose text holds all of the goals.
- A state that was loaded says nothing about its goals until a tactic is run in it.
"""

from typing import Any, Literal, TypeVar, cast

import msgspec

from producer.arguments import check_text
from producer.errors import HeaderError, InvalidInputError
from producer.result import Position
from producer.unreadable import UNREADABLE
from workers.framing import Framer, ReplyTooLargeError
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
from workers.protocol.responses import (
    CommandResponse,
    ErrorResponse,
    Message,
    Response,
    Sorry,
    TacticResponse,
)

R = TypeVar("R", bound=Response)

_BANNER = b"ready."
# The only environment, and the number by which an environment after commands is known and refused.
_ENVIRONMENT = 0
_AFTER_COMMANDS = 1


class StartGoal(Request[TacticResponse], frozen=True, kw_only=True):
    """A proof of `expression`, without a declaration around it.

    Raises:
        InvalidInputError: it is not a text that Lean could read.
    """

    expression: str

    def __post_init__(self) -> None:
        check_text(self.expression)


class _Wire(msgspec.Struct, frozen=True, rename="camel"):
    """Fields that are not named here are of no use to us and change nothing."""


class _Expression(_Wire, frozen=True):
    pp: str = ""


class _Variable(_Wire, frozen=True):
    user_name: str
    is_inaccessible: bool = False
    type: _Expression | None = None
    value: _Expression | None = None


class _Goal(_Wire, frozen=True):
    target: _Expression
    user_name: str | None = None
    fragment: str = "tactic"
    vars: tuple[_Variable, ...] = ()

    def __str__(self) -> str:
        lines = [f"case {self.user_name}"] if self.user_name else []
        for variable in self.vars:
            name = f"{variable.user_name}✝" if variable.is_inaccessible else variable.user_name
            kind = f" : {variable.type.pp}" if variable.type else ""
            value = f" := {variable.value.pp}" if variable.value else ""
            lines.append(f"{name}{kind}{value}")
        return "\n".join([*lines, f"{'|' if self.fragment == 'conv' else '⊢'} {self.target.pp}"])


class _Message(_Wire, frozen=True):
    data: str
    severity: Literal["trace", "information", "info", "warning", "error"] = "error"
    pos: Position | None = None
    end_pos: Position | None = None

    def typed(self) -> Message:
        severity = "info" if self.severity == "information" else self.severity
        return Message(severity=severity, data=self.data, pos=self.pos, end_pos=self.end_pos)


class _Unit(_Wire, frozen=True):
    messages: tuple[_Message, ...] = ()
    goal_state_id: int | None = None
    goals: tuple[_Goal, ...] = ()
    goal_src_boundaries: tuple[tuple[int, int], ...] = ()


class _Reply(_Wire, frozen=True):
    """All that the replies which are read here can hold."""

    error: str | None = None
    desc: str = ""
    units: tuple[_Unit, ...] = ()  # frontend.process
    next_state_id: int | None = None  # goal.tactic, when it went well
    goals: tuple[_Goal, ...] = ()
    messages: tuple[_Message, ...] | None = None
    parse_error: str | None = None
    has_sorry: bool = False
    has_unsafe: bool = False
    state_id: int | None = None  # goal.start
    id: int | None = None  # goal.load


_decode = msgspec.json.Decoder(_Reply).decode
_encode = msgspec.json.Encoder().encode


class LineFramer:
    """Replies are lines; the banner that comes before the first one is none."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._scanned = 0
        self._has_started = False

    @property
    def pending_bytes(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        self._buffer += data
        frames = []
        while (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            self._scanned = 0
            if not self._has_started and line == _BANNER:
                self._has_started = True
            elif line:
                frames.append(line)
        self._scanned = len(self._buffer)
        if len(self._buffer) > self._max_bytes:
            raise ReplyTooLargeError(f"more than {self._max_bytes:,} bytes without the end of a line")
        return frames


class PantographAdapter:
    name = "pantograph"
    loads_onto_commands = False
    tells_loaded_goals = False
    audits_constants = False

    def framer(self, max_bytes: int) -> Framer:
        return LineFramer(max_bytes)

    def import_header(self, header: str) -> Command | None:
        if header:
            raise HeaderError(
                f"Pantograph imports what its command line names, and {header.splitlines()[0]!r} was asked for: "
                "name the modules in repl_command and leave the imports out"
            )
        # It imports nothing and is answered when the imports are done.
        return Command(code="")

    def greeting(self) -> Command:
        return Command(code="")  # the options that it has already

    def encode(self, request: Request[R]) -> bytes:
        command, payload = _asked(request)
        # An empty line would end the process; this is never one.
        return _encode({"cmd": command, "payload": payload}) + b"\n"

    def decode(self, request: Request[R], frame: bytes) -> R | ErrorResponse:
        try:
            reply = _decode(frame)
        except UNREADABLE as error:
            raise UnreadableReplyError(str(error)) from None
        if reply.error is not None:
            return ErrorResponse(message=_error_message(reply))
        return cast("R", _answer(request, reply))


def _asked(request: Request[Any]) -> tuple[str, dict[str, object]]:  # noqa: PLR0911 - a table, in effect
    """The command and its payload.

    Raises:
        InvalidInputError: Pantograph cannot be asked that.
    """
    match request:
        case Command(code="", environment=None):
            return "options.set", {"printJsonPretty": False, "printExprPretty": True, "automaticMode": True}
        case Command(code=code, environment=environment):
            _check_environment(environment)
            return "frontend.process", {"file": code, "readHeader": False, "inheritEnv": False, "sorrys": True}
        case Tactic(tactic=tactic, proof_state=number):
            return "goal.tactic", {"stateId": number, "tactic": tactic}
        case StartGoal(expression=expression):
            return "goal.start", {"expr": expression}
        case PickleProofState(proof_state=number, path=path):
            return "goal.save", {"id": number, "path": str(path)}
        case UnpickleProofState(path=path, environment=environment):
            _check_environment(environment)
            return "goal.load", {"path": str(path)}
        case PickleEnvironment(environment=environment, path=path):
            _check_environment(environment)
            return "env.save", {"path": str(path)}
        case UnpickleEnvironment(path=path):
            return "env.load", {"path": str(path)}
        case _:
            raise InvalidInputError(f"Pantograph has no {type(request).__name__}")


def _check_environment(number: int | None) -> None:
    if number not in (None, _ENVIRONMENT):
        raise InvalidInputError(
            "Pantograph keeps no environment after commands: send definitions together with what uses them"
        )


def _answer(request: Request[Any], reply: _Reply) -> Response:
    match request:
        case Command(code=code):
            return CommandResponse(
                environment=_AFTER_COMMANDS if code else _ENVIRONMENT,
                messages=tuple(message.typed() for unit in reply.units for message in unit.messages),
                sorries=tuple(_sorry(unit, code) for unit in reply.units if unit.goal_state_id is not None),
            )
        case Tactic():
            return _tactic(reply)
        case PickleProofState(proof_state=saved):
            return TacticResponse(proof_state=saved, goals=())
        case StartGoal() | UnpickleProofState():
            number = reply.state_id if isinstance(request, StartGoal) else reply.id
            if number is None:
                raise UnreadableReplyError("the reply names no state")
            return TacticResponse(proof_state=number, goals=())
        case _:
            return CommandResponse(environment=_ENVIRONMENT)


def _tactic(reply: _Reply) -> TacticResponse | ErrorResponse:
    if reply.next_state_id is None:
        said = "\n".join(message.data for message in reply.messages or ())
        return ErrorResponse(message=f"Lean error:\n{reply.parse_error or said or 'the tactic failed'}")
    if reply.has_unsafe:
        status = "Error: the proof uses an unsafe constant"
    elif reply.has_sorry:
        status = "Incomplete: contains sorry"
    else:
        status = "Incomplete: open goals remain" if reply.goals else "Completed"
    return TacticResponse(
        proof_state=reply.next_state_id,
        goals=tuple(map(str, reply.goals)),
        proof_status=status,
        messages=tuple(message.typed() for message in reply.messages or ()),
    )


def _sorry(unit: _Unit, code: str) -> Sorry:
    start, end = unit.goal_src_boundaries[0] if unit.goal_src_boundaries else (None, None)
    return Sorry(
        goal="\n\n".join(map(str, unit.goals)),
        proof_state=unit.goal_state_id,
        pos=None if start is None else _position(code, start),
        end_pos=None if end is None else _position(code, end),
    )


def _position(code: str, offset: int) -> Position:
    """Where in `code` the byte `offset` is, as Lean counts."""
    before = code.encode()[:offset].decode(errors="ignore")
    return Position(line=before.count("\n") + 1, column=len(before) - before.rfind("\n") - 1)


def _error_message(reply: _Reply) -> str:
    if reply.error == "index" and reply.desc.startswith("Invalid state index"):
        return "Unknown proof state."
    return f"Lean error:\n{reply.desc or reply.error}"
