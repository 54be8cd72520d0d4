"""When whoever watches a batch puts what is unanswered into the queue again.

A broker that was restarted from an older copy of its data has lost messages and remembers the batch; a worker may have
lost its reply. Neither tells anybody. What shows is that nothing of the batch waits in the queue, and that no answer
has come for longer than a worker may take. Each further try waits twice as long, as in `producer.resend`.
"""


class Vigil:
    """Over one attempt. Times are of any clock that only goes forward.

    `work_seconds` is for the caller to remember: how long a worker may take for what is unanswered; None when that is
    to be looked up, since other answers came.
    """

    def __init__(self, resend_seconds: float) -> None:
        self._resend_seconds = resend_seconds
        self._answered = -1
        self._since = 0.0
        self._tries = 0
        self.work_seconds: float | None = None

    def note(self, *, now: float, answered: int, backlog: int) -> None:
        """What was seen: how many are answered, and how many of the messages wait, or of more than these."""
        if backlog or answered != self._answered:
            self._since = now
        if answered != self._answered:
            self._tries = 0
            self.work_seconds = None
        self._answered = answered

    def quiet_seconds(self, now: float) -> float:
        return now - self._since

    def is_due(self, now: float, work_seconds: float) -> bool:
        """Whether it has been quiet for too long, where a worker may take `work_seconds`."""
        return self.quiet_seconds(now) > (self._resend_seconds + work_seconds) * 2.0**self._tries

    def sent(self, now: float) -> None:
        """All that is unanswered goes into the queue again."""
        self._since = now
        self._tries += 1
