"""When an unanswered call is sent again: late enough that work is rarely done twice, and without asking any worker.

A broker can lose a message and a worker its reply, so every call that stays unanswered is published again under its own
id; whichever answer comes first counts. How long is long enough? Time in the queue says nothing, a backlog may take an
hour. But a lane is first in, first out: a message after which this client has published at least as many as are waiting
in it now is no longer among them. From when that was seen, its worker has the operation's own time limit, and
`resend_seconds` for everything else (waiting for a process, restoring, the lease of a worker that died). Each further
try gets twice the time, so that a fleet that is merely slow is not buried.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from producer.call import Call
from producer.operation import AnyOperation, RunTactics

# Behind the backlog of others in the same lane (processes of one name; on RabbitMQ all clients) the rule above may stay
# silent for as long as the backlog lasts.
BLIND_SECONDS = 3600.0


class Plan(NamedTuple):
    left: list[Call[Any]]  # now known to have left the lane
    due: list[Call[Any]]  # to be sent again


def work_seconds(operation: AnyOperation) -> float:
    """The longest that a worker may take for the operation itself."""
    return operation.timeout_seconds * (len(operation.tactics) if isinstance(operation, RunTactics) else 1)


def plan(calls: Iterable[Call[Any]], *, now: float, published: int, backlog: int, resend_seconds: float) -> Plan:
    """Decide over the calls in flight of one lane.

    Args:
        calls: what is unanswered.
        now: the loop's time, as in `Call.submitted_at`.
        published: how many messages this client had published to the lane before `backlog` was read.
        backlog: how many messages wait in the lane, of all who publish to it.
        resend_seconds: the setting of this name.
    """
    left, due = [], []
    for call in calls:
        if not call.sequence:
            continue
        patience = (resend_seconds + work_seconds(call.operation)) * 2 ** max(0, call.tries - 1)
        if call.left_at:
            if now - call.left_at > patience:
                due.append(call)
        elif backlog <= published - call.sequence:
            left.append(call)
        elif now - call.submitted_at > max(BLIND_SECONDS, patience) * call.tries:
            due.append(call)
    return Plan(left, due)
