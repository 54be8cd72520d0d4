"""What a task raises so that Celery and Flower see its failure."""

from celery.exceptions import Ignore

from producer.errors import LeanFleetError


class OperationFailedError(LeanFleetError):
    """The operation was answered, and its answer is that it could not be carried out. The caller has the reply."""


class RevokedError(LeanFleetError, Ignore):
    """Nobody waits for the answer any more: the delivery is acknowledged and nothing is answered."""
