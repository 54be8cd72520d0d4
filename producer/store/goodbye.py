"""Lets obstore's threads leave Python before the interpreter ends.

A thread of its runtime that tells the event loop of an answer may still be at it when the program, having got that
answer, has come to its end. CPython up to 3.13 ends such a thread where it next asks for the interpreter, by unwinding
through Rust, which aborts the process: exit code 134 after all was well.
"""

import atexit
import sys
import threading
import time

_LOOK_SECONDS = 0.002
# In so many looks in a row nobody was there; who waits for the interpreter gets it during a look.
_LOOKS = 3
_MOST_SECONDS = 2.0


def _foreign() -> set[int]:
    """Threads that run Python code just now and were not begun by it."""
    return sys._current_frames().keys() - {thread.ident for thread in threading.enumerate()}  # noqa: SLF001 - public in all but name


def wait() -> None:
    """Return when no such thread was seen for some milliseconds, or after two seconds."""
    ends_at = time.monotonic() + _MOST_SECONDS
    quiet = 0
    while quiet < _LOOKS and time.monotonic() < ends_at:
        time.sleep(_LOOK_SECONDS)
        quiet = 0 if _foreign() else quiet + 1


def register() -> None:
    """Wait when the interpreter ends; several registrations are one."""
    atexit.unregister(wait)
    atexit.register(wait)
