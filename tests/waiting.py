"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Callable

DEADLINE_SECONDS = 120.0  # reached by what is broken only: a busy machine is no failure
_POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], object], what: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
    """Poll until `condition` is true; fail with `what` when that takes too long."""
    end = time.monotonic() + deadline_seconds
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_seconds:g} s: {what}"
        time.sleep(_POLL_SECONDS)


async def until(condition: Callable[[], object], what: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
    """`wait_until` for a coroutine: the loop goes on meanwhile."""
    end = time.monotonic() + deadline_seconds
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_seconds:g} s: {what}"
        await asyncio.sleep(_POLL_SECONDS)
