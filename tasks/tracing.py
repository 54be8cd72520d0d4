"""One delivery's span and scope: what traces and log lines say of it while it is carried out."""

import asyncio
from collections.abc import Awaitable

from producer.logs import Scope, within
from producer.operation import AnyOperation
from producer.outcome import Outcome
from producer.result import AnyResult
from producer.tracing import Untraced, working
from tasks.delivery import Delivery
from tasks.errors import ElsewhereError, ReleasedError, RevokedError

_ANSWERS = (Outcome.OK, Outcome.LEAN_ERROR)


async def traced(
    work: Awaitable[AnyResult], delivery: Delivery, operation: AnyOperation | None, queue: str
) -> AnyResult:
    """What `work` gives, or raises, in a span of its own; `operation` is None where there is none to carry out."""
    batch = None if delivery.call is None else delivery.call.batch
    known = {"worker": delivery.worker, "call.id": delivery.id, "batch.id": "" if batch is None else batch.id}
    with working(delivery.kind, delivery.trace, queue, is_linked=batch is not None, **known) as span:
        scope = Scope(
            call_id=delivery.id, operation=operation, batch=batch, worker=delivery.worker, trace_id=span.trace_id
        )
        with within(scope):
            try:
                result = await work
            except (ReleasedError, ElsewhereError) as error:
                span.ended("handed_back", reason=str(error))
                raise
            except RevokedError:
                span.ended("revoked")
                raise
            except asyncio.CancelledError:
                span.ended("handed_back", reason="the worker is ending")
                raise
            _end(span, result)
            return result


def _end(span: Untraced, result: AnyResult) -> None:
    timing = result.timing
    span.ended(
        result.outcome,
        reason=result.reason,
        is_failure=result.outcome not in _ANSWERS,
        queue_seconds=timing.queued_seconds,
        repl_wait_seconds=timing.waiting_seconds,
        restore_seconds=timing.restoring_seconds,
        lean_seconds=timing.lean_seconds,
        attempt=result.attempt,
        cached=result.cached,
    )
