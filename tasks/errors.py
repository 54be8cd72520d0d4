"""What a task raises so that Celery and Flower see its failure."""

from producer.errors import LeanFleetError


class OperationFailedError(LeanFleetError):
    """The operation was answered, and its answer is that it could not be carried out. The caller has the reply."""
