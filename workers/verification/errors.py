"""Why a proof cannot be judged, other than by its own fault."""

from producer.errors import InvalidInputError


class StatementError(InvalidInputError):
    """The statement that was to be proved is none: whoever asked has to change it."""
