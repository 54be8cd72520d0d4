"""Waiting between tries: longer each time, never in step with others, and with a word in the log."""

import asyncio
import logging
import random
from collections.abc import Callable

BASE_SECONDS = 0.1
CAP_SECONDS = 5.0


def delay_seconds(
    failures: int,
    *,
    base: float = BASE_SECONDS,
    cap: float = CAP_SECONDS,
    draw: Callable[[], float] = random.random,
) -> float:
    """How long to wait after so many failures in a row (1 or more): doubling, capped, and the upper half by chance.

    Chance keeps a thousand clients from returning to a restarted broker in the same instant.
    """
    # 2**30 is past every cap; it also keeps a week of failures from growing the integer.
    longest = min(cap, base * 2.0 ** min(failures - 1, 30))
    return longest * (0.5 + draw() / 2)


class Outage:
    """The bad times of one thing that is needed: counts failures, logs each kind of them and their end once."""

    def __init__(self, what: str, logger: logging.Logger) -> None:
        self.failures = 0
        self._what = what
        self._logger = logger
        self._told: set[type[BaseException]] = set()

    async def wait(self, error: BaseException) -> None:
        """Note a failure and sleep before the next try."""
        self.failures += 1
        # Of another kind: what is wrong now is no longer what was told, as credentials that a restart made void.
        log = self._logger.debug if type(error) in self._told else self._logger.warning
        self._told.add(type(error))
        log("%s failed, trying again until it works: %s", self._what, error)
        await asyncio.sleep(delay_seconds(self.failures))

    def over(self) -> None:
        """Note a success."""
        if self.failures:
            self._logger.warning("%s works again after %d failed tries", self._what, self.failures)
            self.failures = 0
            self._told.clear()
