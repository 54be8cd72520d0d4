"""How much of the queue a worker holds, and for how long one operation may wait there for a REPL.

A short operation should be at hand when a REPL becomes free: the next one is fetched while the one before runs. Behind
a long one it would wait here while another machine is idle, or would take it sooner.
"""

import time
from collections.abc import Callable

# Far more than fetching the next message takes, far less than a user notices.
PATIENCE_SECONDS = 0.25
_MOST_SECONDS = 60.0
_REMEMBERED = 10_000


class Appetite:
    """As many deliveries as there are REPLs, and what else is allowed only while operations come and go quickly.

    Asked by the thread that takes messages, told by those that let go: each call reads or writes one number.
    """

    def __init__(self, *, repls: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._repls = repls
        self._clock = clock
        self._short_at = float("-inf")

    def has_room(self, held: int) -> bool:
        """Whether to take one more. It only becomes true again when something is let go, never by time alone."""
        return held < self._repls or self._clock() - self._short_at < PATIENCE_SECONDS

    def finished(self, held_seconds: float) -> None:
        """A delivery was acknowledged, so long after it was taken."""
        if held_seconds < PATIENCE_SECONDS:
            self._short_at = self._clock()

    def handed_back(self) -> None:
        """There is no place for it here: nor is there for more."""
        self._short_at = float("-inf")


class Patience:
    """How long an operation waits here while all REPLs work.

    Longer each time that it comes back: then the other machines are no better off, and it must not go round for ever.
    """

    def __init__(self, *, first_seconds: float = PATIENCE_SECONDS) -> None:
        self._first_seconds = first_seconds
        self._seconds: dict[str, float] = {}

    def is_over(self, call_id: str, waited_seconds: float) -> bool:
        return waited_seconds >= self._seconds.get(call_id, self._first_seconds)

    def handed_back(self, call_id: str) -> None:
        longer = 2 * self._seconds.pop(call_id, self._first_seconds)
        self._seconds[call_id] = min(longer, _MOST_SECONDS)
        while len(self._seconds) > _REMEMBERED:
            del self._seconds[next(iter(self._seconds))]
