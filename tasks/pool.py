"""Celery's pool for operations of our own clients: they go straight to the event loop that carries them out.

Celery's threads would each decode the message once more, wait for the loop, and acknowledge by a round trip of their
own, which takes more CPU than the rest of a short operation. Whatever else is asked of the pool (calls of Celery's own
API with their results, chords and callbacks; tasks that somebody's signal handlers watch) runs in threads, and so does
what may block when an operation is over: events, and letting go of a delivery whose lease did not end with its reply.
"""

import functools
import logging
import os
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from billiard.einfo import ExceptionInfo
from celery import signals
from celery.concurrency import thread
from celery.exceptions import Reject
from celery.utils.saferepr import saferepr

from producer.result import AnyResult
from tasks.carrier import Work
from tasks.delivery import Delivery
from tasks.errors import ElsewhereError, OperationFailedError, ReleasedError, RevokedError
from tasks.operations import in_words
from tasks.request import OperationRequest
from tasks.runtime import Runtime, current_runtime

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    # What the stubs leave out.
    class ApplyResult:
        f: Future[Any]

        def __init__(self, future: Future[Any]) -> None: ...

    class ThreadPool(thread.TaskPool):
        executor: ThreadPoolExecutor

        def on_apply(self, *args: Any, **kwargs: Any) -> Any: ...

else:
    ApplyResult, ThreadPool = thread.ApplyResult, thread.TaskPool

# Sent by Celery's tracer, which does not see what goes by the loop.
_SIGNALS = (
    signals.task_prerun,
    signals.task_postrun,
    signals.task_success,
    signals.task_failure,
    signals.task_rejected,
    signals.task_internal_error,
)


class OperationPool(ThreadPool):
    """For `worker_pool`."""

    def on_apply(self, *args: Any, **kwargs: Any) -> Any:
        # Celery hands over a bound method of its request, among much else that its tracer needs.
        request, runtime = getattr(kwargs.get("callback"), "__self__", None), current_runtime()
        if runtime is not None and isinstance(request, OperationRequest) and not _is_watched():
            try:
                call = request.client_call()
            except Exception:
                logger.debug("task %s is left to Celery's tracer", request.id, exc_info=True)
            else:
                if call is not None:
                    return ApplyResult(self._hand_over(runtime, request, *call))
        applied: ApplyResult = super().on_apply(*args, **kwargs)
        if runtime is not None and isinstance(request, OperationRequest):
            runtime.end_after(applied.f)
        return applied

    def on_stop(self) -> None:
        # Not as Celery's, which would drop what waits for a thread: deliveries that are to be handed back.
        self.executor.shutdown()

    def _hand_over(
        self, runtime: Runtime, request: OperationRequest, delivery: Delivery, work: Work
    ) -> Future[AnyResult]:
        accepted: Any = request.on_accepted  # its stub would have the process id as text
        began_at = time.monotonic()
        accepted(os.getpid(), began_at)
        future: Future[AnyResult] = Future()
        future.add_done_callback(functools.partial(self._over, runtime, request, delivery, began_at))
        return runtime.submit(work, delivery, future, request.lease())

    def _over(
        self,
        runtime: Runtime,
        request: OperationRequest,
        delivery: Delivery,
        began_at: float,
        future: Future[AnyResult],
    ) -> None:
        tell = functools.partial(_tell, runtime, request, delivery, began_at, future)
        if request.acknowledged and not request.sends_events:
            tell()
        else:
            runtime.end_after(self.executor.submit(tell))


def _is_watched() -> bool:
    return any(signal.receivers for signal in _SIGNALS)


def _tell(
    runtime: Runtime, request: OperationRequest, delivery: Delivery, began_at: float, future: Future[AnyResult]
) -> None:
    """Tell Celery how it ended, as its tracer would; the request acknowledges or rejects, and sends events."""
    try:
        try:
            words = in_words(_result(future))
        except (ReleasedError, ElsewhereError) as error:
            runtime.hand_back(delivery)
            request.on_failure(_exc_info(Reject(str(error), requeue=True)))
        except (OperationFailedError, RevokedError) as error:
            request.on_failure(_exc_info(error), return_ok=True)
        except Exception as error:
            logger.exception("a bug: operation %s raised", delivery.id, extra={"call_id": delivery.id})
            request.on_failure(_exc_info(error), return_ok=True)
        else:
            shown = saferepr(words, request.task.resultrepr_maxsize)
            request.on_success((0, shown, time.monotonic() - began_at))
    except Exception:  # no thread of the pool would say so
        logger.exception("a bug: Celery cannot be told how operation %s ended", delivery.id)


def _result(future: Future[AnyResult]) -> AnyResult:
    try:
        return future.result()
    except CancelledError:
        raise ReleasedError("the worker is ending") from None


def _exc_info(error: Exception) -> ExceptionInfo:
    try:
        raise error  # for its traceback, without which Celery makes no such thing
    except type(error):
        info = ExceptionInfo()
    info.exception = error  # as the tracer leaves it, which is what Flower shows
    return info
