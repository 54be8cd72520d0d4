"""How a delivery ends otherwise than by its result."""

from celery.exceptions import Ignore

from producer.errors import LeanFleetError


class OperationFailedError(LeanFleetError):
    """The operation was answered, and its answer is that it could not be carried out. The caller has the reply."""


class RevokedError(LeanFleetError, Ignore):
    """Nobody waits for the answer any more: the delivery is acknowledged and nothing is answered."""


class TerminatedError(RevokedError):
    """An operator ended it, by `celery control terminate` or Flower: a client is answered `lost`."""


class ReleasedError(LeanFleetError):
    """The worker is ending and did not finish this operation: its delivery goes to another one."""


class BusyError(ReleasedError):
    """All REPLs of this worker have been at work for a while: another one may have one that is free."""


class ElsewhereError(LeanFleetError):
    """Its REPL died, and it is to be tried again, best on another worker."""
