"""Lean's messages as the community REPL's protocol writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.embedded.abi import Object, array, field, is_scalar, scalar_byte, unbox
from workers.embedded.layout import Message

if TYPE_CHECKING:
    from workers.embedded.runtime import Runtime

Json = dict[str, Any]

_WHITESPACE = " \t\r\n"
"""What `String.trim` takes away in Lean."""


def position(o: Object) -> Json:
    """A `Lean.Position`: line from 1, column from 0, both in characters."""
    return {"line": unbox(field(o, 0)), "column": unbox(field(o, 1))}


class Messages:
    """Turns message logs into JSON."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._log_array = runtime.lean.function("l_Lean_MessageLog_toArray", 1)

    def of_log(self, log: Object) -> list[Json]:
        """The messages of a borrowed `MessageLog`, in order."""
        lean = self._runtime.lean
        messages = self._log_array(lean.keep(log))
        result = [self._message(message) for message in array(messages)]
        lean.drop(messages)
        return result

    def _message(self, message: Object) -> Json:
        end = field(message, Message.END_POSITION)
        return {
            "severity": Message.SEVERITIES[scalar_byte(message, Message.SEVERITY_BYTE)],
            "pos": position(field(message, Message.POSITION)),
            "endPos": None if is_scalar(end) else position(field(end, 0)),
            "data": self._runtime.message_data_text(field(message, Message.DATA)).strip(_WHITESPACE),
        }
