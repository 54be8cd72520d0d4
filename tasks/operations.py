"""The tasks, one for each operation. Each signature says what may be passed; `OperationTask` does the rest.

Called through Celery's own API (`tasks.run_code.delay("…").get(timeout=60)`, groups, chords), the result is the whole
result with its states, as JSON-like values: `msgspec.convert(value, RunCodeResult)` makes it an object again. Outcomes
are data there too: `get` raises nothing for a wrong proof or a killed REPL.

Called by leanfleet's client (recognized by its header), the reply goes straight to the client's list, and Celery's
result is only a few words for Flower. There a task whose operation could not be carried out (`timeout`, `repl_died`, …)
has failed, so that it is seen; its delivery is acknowledged all the same, since its caller has the reply.
"""

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from celery import Task
from celery.exceptions import Reject
from celery.utils.functional import head_from_fun

from producer.envelope import TASK_PREFIX
from producer.errors import InvalidInputError, LeanFleetError
from producer.operation import (
    DEFAULT_ALLOWED_AXIOMS,
    DEFAULT_MEMORY_BYTES,
    DEFAULT_TIMEOUT_SECONDS,
    OPERATIONS,
    AnyOperation,
)
from producer.outcome import Outcome
from producer.reply import complete
from producer.result import RESULTS, AnyResult, Result
from producer.state import StateRef
from tasks.carrier import Work
from tasks.celery import app
from tasks.delivery import Delivery
from tasks.errors import ElsewhereError, OperationFailedError, ReleasedError
from tasks.runtime import current_runtime

# As a value or as the JSON of one.
State = StateRef | Mapping[str, Any]

_ANSWERS = (Outcome.OK, Outcome.LEAN_ERROR)


class OperationTask(Task[Any, Any]):
    """Checks arguments, hands the operation to this process's runtime, and waits for its end."""

    abstract = True
    Request = "tasks.request:OperationRequest"
    throws = (OperationFailedError,)
    resultrepr_maxsize = 100  # what Flower is told of a result: kind and outcome come first
    kind: str
    call_signature: inspect.Signature
    max_operation_bytes: int | None = None

    def apply_async(  # type: ignore[override] # Celery's stub names its two dozen options; they are passed on
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """As Celery's; states may be given as `StateRef`. Flower shows the operation's label for the arguments."""
        arguments = tuple(msgspec.to_builtins(value) for value in args or ())
        named = {name: msgspec.to_builtins(value) for name, value in (kwargs or {}).items()}
        with contextlib.suppress(InvalidInputError):  # the worker answers it
            options = {"argsrepr": self._operation(arguments, named).label, "kwargsrepr": "", **options}
        return super().apply_async(arguments, named, **options)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        runtime = current_runtime()
        if runtime is None:
            raise LeanFleetError("operations run in a worker: celery -A tasks worker, or leanfleet worker")
        delivery = Delivery.from_request(self.kind, vars(self.request))
        work = self.work(args, kwargs)
        try:
            result = runtime.execute(work, delivery)
        except (ReleasedError, ElsewhereError) as error:
            runtime.hand_back(delivery)
            raise Reject(str(error), requeue=True) from None
        if delivery.call is not None:
            return in_words(result)
        return msgspec.to_builtins(result if isinstance(work, Result) else complete(work, result))

    def work(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Work:
        """The operation, or the answer where the arguments make none."""
        try:
            return self._operation(args, kwargs)
        except InvalidInputError as error:
            return RESULTS[self.kind](outcome=Outcome.INVALID_REQUEST, reason=str(error))

    def _operation(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AnyOperation:
        """Raise InvalidInputError for arguments that make no operation."""
        try:
            arguments = self.call_signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidInputError(f"{self.kind}: {error}") from error
        try:
            operation = msgspec.convert({"kind": self.kind, **arguments}, OPERATIONS[self.kind])
        except msgspec.ValidationError as error:
            raise InvalidInputError(f"{self.kind}: {error}") from error
        return operation.checked(max_bytes=self.app.conf.leanfleet_max_operation_bytes)


def in_words(result: AnyResult) -> str:
    """What Flower shows as the task's result. Raises OperationFailedError for what was not carried out."""
    words = f"{result.outcome} {result.timing.lean_seconds * 1000:.0f} ms"
    if result.reason:
        words = f"{words}: {result.reason.splitlines()[0][:200]}"
    if result.outcome not in _ANSWERS:
        raise OperationFailedError(words)
    return words


def operation_task(signature: Callable[..., None]) -> OperationTask:
    """Register the task of the operation that `signature` is named after, callable as `signature` is."""
    kind = signature.__name__
    register: Any = app.task  # its stub knows no class attributes among the options
    task: OperationTask = register(
        OperationTask.run,
        base=OperationTask,
        bind=True,
        name=TASK_PREFIX + kind,
        kind=kind,
        call_signature=inspect.signature(signature),
        # Celery checks calls against it where they are made: a typing mistake is a TypeError there.
        __header__=staticmethod(head_from_fun(signature)),
        __doc__=signature.__doc__,
    )
    return task


@operation_task
def run_code(
    code: str,
    state: State | None = None,
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    fresh: bool = False,
) -> None:
    """Elaborate Lean commands; see `producer.operation.RunCode`."""


@operation_task
def run_tactics(
    state: State,
    tactics: Sequence[str],
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    fresh: bool = False,
) -> None:
    """Try tactics on a proof state; see `producer.operation.RunTactics`."""


@operation_task
def export_state(
    state: State,
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    fresh: bool = False,
) -> None:
    """Put a state into the store; see `producer.operation.ExportState`."""


@operation_task
def import_state(
    state: State,
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    fresh: bool = False,
) -> None:
    """Make a state warm on a worker; see `producer.operation.ImportState`."""


@operation_task
def verify_proof(
    statement: str = "",
    proof: str = "",
    *,
    theorem: str = "",
    allowed_axioms: Sequence[str] = DEFAULT_ALLOWED_AXIOMS,
    strength: str = "",
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    fresh: bool = False,
) -> None:
    """Decide whether a text proves a statement; see `producer.operation.VerifyProof`, which needs a `proof`."""
