"""The one error tree: what a caller can be expected to handle, and nothing else.

What Lean thinks of a proof is never an error here but an outcome (`producer.outcome`). Every class keeps its arguments
positional, so that it survives a pickle, and is known by name, so that it survives a trip through JSON.
"""

from typing import ClassVar, Self


class LeanFleetError(Exception):
    """The root; catch it to catch everything that leanfleet raises on purpose.

    `message` says what happened and what to do about it, in words for whoever reads the log.
    """

    # By name, for the way back from JSON. Filled by subclassing, therefore complete by construction.
    by_name: ClassVar[dict[str, type["LeanFleetError"]]] = {}

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__name__ in LeanFleetError.by_name:
            raise TypeError(f"two errors are called {cls.__name__}: JSON could not tell them apart")
        LeanFleetError.by_name[cls.__name__] = cls

    def to_dict(self) -> dict[str, str]:
        return {"error": type(self).__name__, "message": self.message}

    @classmethod
    def from_dict(cls, data: dict[str, str]) -> "LeanFleetError":
        """The error that `to_dict` described; one that only a newer version knows comes back as the root class."""
        return LeanFleetError.by_name.get(data.get("error", ""), LeanFleetError)(data.get("message", ""))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self), self.args))

    def with_context(self, context: str) -> Self:
        """The same error whose message begins with where it happened (a file and line, say)."""
        return type(self)(f"{context}: {self.message}")


class SettingsError(LeanFleetError):
    """A setting is missing, misspelt or impossible."""


class InvalidInputError(LeanFleetError):
    """What was handed in cannot be an operation: too large, not text, an unknown field, a file that is not there."""


class InvalidTextError(InvalidInputError):
    """A text is none that a Lean file could hold. Where a model wrote it, that is the outcome `invalid_request`."""


class WireError(LeanFleetError):
    """A message is not one that this version understands."""


class BrokerUnavailableError(LeanFleetError):
    """The broker cannot be reached, or refused us."""


class BrokerRefusedError(BrokerUnavailableError):
    """The broker is there and does not take us: wrong user, password or permissions. Trying again does not help."""


class ClientClosedError(LeanFleetError):
    """The client was closed while calls were waiting, or used after it was closed."""


class BatchError(LeanFleetError):
    """A batch cannot do this: it is unknown, still running, or has nothing to run again."""


class StoreError(LeanFleetError):
    """Something is wrong with the store or with what is in it."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached, or refused us."""


class BlobMissingError(StoreError):
    """There is no blob under this hash."""


class BlobCorruptError(StoreError):
    """The bytes under this hash are not the ones that were put there."""


class ReplError(LeanFleetError):
    """A REPL process did not answer as it should; the process is gone, the pool is not."""


class ReplStartError(ReplError):
    """A REPL process could not be started or could not import its header."""


class ImportDiedError(ReplStartError):
    """Every REPL that imports this header ends, while the import runs: the text's doing, or this machine's."""


class ReplTimeoutError(ReplError):
    """No answer within the operation's time limit; the process group was killed."""


class ReplOutOfMemoryError(ReplError):
    """The process grew past the operation's memory limit; the process group was killed."""


class ReplDiedError(ReplError):
    """The process ended, or its answer was not in the protocol. The message ends with the tail of its stderr."""


class HeaderError(LeanFleetError):
    """Lean cannot import the header, because a module is not there: the text's own fault. The message is Lean's own."""


class PoolClosedError(ReplError):
    """The pool takes no more work: it is closing or closed."""


class UnsupportedPlatformError(LeanFleetError):
    """This machine cannot run the embedded Lean, or what was asked for needs something it has not."""
