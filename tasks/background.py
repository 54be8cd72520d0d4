"""Work beside operations, for as long as a worker lives. Nobody waits for it, so its end would go unnoticed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0


async def lasting(what: str, work: Callable[[], Awaitable[object]], *, again_seconds: float = AGAIN_SECONDS) -> None:
    """Do it until it returns or is cancelled; whatever it raises is logged, and it is begun again after a while."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("a bug: %s failed and is begun again in %g s", what, again_seconds)
            await asyncio.sleep(again_seconds)
        else:
            return
