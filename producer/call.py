"""One operation on its way: an awaitable that knows what was asked."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from producer.operation import AnyOperation
from producer.tracing import Traced, end_call

if TYPE_CHECKING:
    from producer.lane import Priority

R = TypeVar("R")


class Call(asyncio.Future[R]):
    """The result to come. Await it, cancel it, or give it to `asyncio.wait` or `asyncio.gather`: it costs no task.

    Cancelling withdraws the operation from the fleet unless a worker has begun with it.
    """

    # A hundred thousand of these may be waiting: no attribute more than needed.
    __slots__ = (
        "_on_cancel",
        "id",
        "is_out",
        "is_screened",
        "left_at",
        "operation",
        "priority",
        "sequence",
        "submitted_at",
        "timer",
        "traced",
        "tries",
    )

    def __init__(
        self,
        call_id: str,
        operation: AnyOperation,
        *,
        loop: asyncio.AbstractEventLoop,
        on_cancel: Callable[["Call[Any]"], None],
    ) -> None:
        super().__init__(loop=loop)
        self.id = call_id
        self.operation = operation
        self.submitted_at = loop.time()
        self.priority: Priority = "interactive"
        self.sequence = 0  # how many messages this client had published at this priority when it was; 0: not yet
        self.left_at = 0.0  # when it was known to have left its lane; 0: not yet
        self.tries = 0  # how often it was published
        self.is_screened = False  # whether it goes out without some of its tactics: see `producer.screening`
        self.is_out = False  # whether the broker may know it, be it that publishing failed half-way
        self.timer: asyncio.TimerHandle | None = None
        self.traced: Traced | None = None
        self._on_cancel = on_cancel

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self._on_cancel(self)
        return True

    def trace(self, traced: Traced) -> None:
        """Have the span end with this call."""
        self.traced = traced
        self.add_done_callback(_end_span)

    def __repr__(self) -> str:
        state = "pending" if not self.done() else "cancelled" if self.cancelled() else "done"
        return f"<Call {self.id} {self.operation.kind} {self.operation.label!r} {state}>"


def _end_span(call: "asyncio.Future[Any]") -> None:
    if not isinstance(call, Call) or call.traced is None:
        return
    if call.cancelled():
        call.traced.ended("withdrawn")
    elif (error := call.exception()) is not None:
        call.traced.ended("error", reason=str(error), is_failure=True)
    else:
        end_call(call.traced, call.result())
