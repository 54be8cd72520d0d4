"""How an operation can end. Outcomes are data: a wrong proof is an answer, not an exception."""

import enum


class Outcome(enum.StrEnum):
    """The taxonomy; `retry_can_help` says what a second run may change."""

    OK = "ok"  # Lean accepted it (warnings and `sorry` included)
    LEAN_ERROR = "lean_error"  # Lean rejected it: the text's own fault, and the same at every try
    TIMEOUT = "timeout"  # longer than `timeout_seconds`; its process was killed
    OUT_OF_MEMORY = "out_of_memory"  # more than `memory_bytes`; its process was killed
    REPL_DIED = "repl_died"  # its process died, on every worker that tried it
    INVALID_REQUEST = "invalid_request"  # cannot be sent to a REPL at all
    STATE_UNAVAILABLE = "state_unavailable"  # no recipe step failed in Lean, yet the state could not be restored
    LOST = "lost"  # no answer within the caller's deadline, or an operator ended it

    @property
    def is_deterministic(self) -> bool:
        """Whether every run gives this outcome, so that it may be answered from memory."""
        return self in (Outcome.OK, Outcome.LEAN_ERROR)

    @property
    def retry_can_help(self) -> bool:
        """Whether the same operation with the same limits may end otherwise at a second run."""
        return self in (Outcome.REPL_DIED, Outcome.STATE_UNAVAILABLE, Outcome.LOST)

    @property
    def larger_limits_can_help(self) -> bool:
        return self in (Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY)
