"""When a REPL that nothing is wrong with is let go: it frees no memory, and grows slow with what it has seen."""

import random
from dataclasses import dataclass

from workers.memory import machine_bytes
from workers.pool.assignment import Retirement
from workers.settings import PoolSettings

# Where the settings do not say when a REPL has grown too large: its share of this much of the machine's memory, so that
# all of them together leave room for an operation that needs more, and for the compiled modules that they map.
RECYCLE_SHARE = 0.5
MOST_RECYCLE_BYTES = 3 * 1024**3
# Limits on age and use are drawn from this much below them, so that REPLs that started together do not end together.
RECYCLE_JITTER = 0.2


@dataclass(frozen=True, kw_only=True)
class Lifespan:
    """One REPL's limits."""

    memory_bytes: int
    uses: float
    age_seconds: float

    def end(self, *, memory_bytes: int, uses: int, age_seconds: float) -> Retirement | None:
        """Why a REPL that has come to these values is to go; None where it may stay."""
        if memory_bytes > self.memory_bytes:
            return Retirement.MEMORY
        if uses >= self.uses:
            return Retirement.USES
        if age_seconds >= self.age_seconds:
            return Retirement.AGE
        return None


class Lifespans:
    """Draws one for each REPL of a pool."""

    def __init__(self, settings: PoolSettings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._memory_bytes = settings.recycle_memory_bytes or min(
            MOST_RECYCLE_BYTES, int(machine_bytes() * RECYCLE_SHARE / (settings.repls + settings.spares))
        )

    def draw(self) -> Lifespan:
        jitter = 1.0 - self._rng.uniform(0.0, RECYCLE_JITTER)
        return Lifespan(
            memory_bytes=self._memory_bytes,
            uses=self._settings.recycle_uses * jitter,
            age_seconds=self._settings.recycle_age_seconds * jitter,
        )
