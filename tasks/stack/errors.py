"""What can go wrong when servers are started on this computer."""

from producer.errors import LeanFleetError


class StackError(LeanFleetError):
    """A local server could not be started; the message says which, why, and what to do."""


class MissingServerError(StackError):
    """The program is not installed."""


class PortInUseError(StackError):
    """Something else listens on the port that was asked for."""
