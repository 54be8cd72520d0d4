"""What a protocol must offer, for a process to be driven through it."""

from typing import Protocol, TypeVar

from workers.framing import Framer
from workers.protocol.requests import Command, Request
from workers.protocol.responses import ErrorResponse, Response

R = TypeVar("R", bound=Response)


class UnreadableReplyError(ValueError):
    """A frame that is no reply of this protocol: the process cannot be trusted any more."""


class Adapter(Protocol):
    """One protocol. Stateless: one instance may serve any number of processes."""

    name: str
    # Whether a proof state's pickle can be loaded onto an environment in which commands were run. The community REPL
    # declares the session's constants once more, which Lean refuses where they exist, and ends.
    loads_onto_commands: bool
    # Whether the reply to loading a proof state holds its goals.
    tells_loaded_goals: bool
    # Whether constants can be exported as data, and judged by the kernel of another process.
    audits_constants: bool

    def framer(self, max_bytes: int) -> Framer:
        """A new reader for one process's output; it refuses a reply of more than `max_bytes`."""

    def import_header(self, header: str) -> Command | None:
        """What to send so that `header` is imported, or None where the process imports at its start."""

    def greeting(self) -> Command:
        """What every process of this protocol answers whatever it has done, and what changes nothing in it."""

    def encode(self, request: Request[R]) -> bytes:
        """The request as one whole frame."""

    def decode(self, request: Request[R], frame: bytes) -> R | ErrorResponse:
        """The reply to `request`.

        Raises:
            UnreadableReplyError: the frame is not a reply to such a request.
        """
