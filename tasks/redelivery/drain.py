"""Ending a worker within a notice: no more work at once, what finishes in time is answered, the rest goes to others.

Celery's threads pool ignores both of its own ways to end early, so the deadline is kept here.
"""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

# `save` only has work begun elsewhere.
_SAVE_SECONDS = 1.0


class Drain:
    """Begun once, by whatever comes first; may be begun from a signal handler.

    `pause` stops the taking of messages, `save` is told how many seconds there are to store what is worth it, and
    `release` hands back what is held; each is called from here at most once, `save` and `release` in a thread.
    """

    def __init__(
        self,
        *,
        pause: Callable[[], object],
        release: Callable[[], None],
        save: Callable[[float], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pause = pause
        self._release = release
        self._save = save
        self._clock = clock
        self._deadline: float | None = None
        self._changed = threading.Event()
        self._released = threading.Event()
        self._saving = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        if self._deadline is None:
            return "<Drain not begun>"
        if self._released.is_set():
            return "<Drain done>"
        return f"<Drain with {self._deadline - self._clock():.1f} s left>"

    @property
    def begun(self) -> bool:
        return self._deadline is not None

    def begin(self, reason: str, grace_seconds: float) -> None:
        """Take nothing more, and hand back after `grace_seconds` what is unfinished then. Later calls can only shorten.

        No locks here and no waiting: the signal that calls this may have interrupted any line of the main thread.
        """
        deadline = self._clock() + grace_seconds
        if self._deadline is None:
            self._deadline = deadline
            self._pause()
            self._thread = threading.Thread(target=self._keep_deadline, name="drain", daemon=True)
            self._thread.start()
            logger.warning(
                "draining (%s): %g s for what is running, then it goes to other workers", reason, grace_seconds
            )
        elif deadline < self._deadline:
            self._deadline = deadline
            self._changed.set()
            logger.warning("draining faster (%s): %g s left", reason, grace_seconds)

    def _keep_deadline(self) -> None:
        if (deadline := self._deadline) is not None and (left := deadline - self._clock()) > 0:
            try:
                self._save(left)
            except Exception:  # what ends this thread would have the rest never handed back
                logger.exception("a bug: nothing was stored before the end")
        self._saving.set()
        while (deadline := self._deadline) is not None and (left := deadline - self._clock()) > 0:
            self._changed.wait(left)
            self._changed.clear()
        if self._deadline is None:
            return
        self._released.set()
        self._release()

    def wait_begun(self) -> None:
        """Return when `save` was called, after `begin`."""
        self._saving.wait(_SAVE_SECONDS)

    def cancel(self) -> None:
        """All that was held is finished: there is nothing to hand back. For the end of a worker's life."""
        self._deadline = None
        self._changed.set()
