"""What a pool has learnt about headers: which Lean can import, which it cannot, and whose REPLs fail to start."""

import functools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from producer.errors import HeaderError, ImportDiedError, InvalidInputError, ReplError, ReplStartError
from workers.backoff import backoff_seconds
from workers.lru import LRU

# How many headers are remembered: imported ones by use, and ones that cannot be imported for a while.
KNOWN_HEADERS = 64
BAD_HEADERS = 256
BAD_HEADER_SECONDS = 60.0


@functools.lru_cache(maxsize=KNOWN_HEADERS)
def normal(header: str) -> str:
    """Imports one a line: headers that say the same share their REPLs."""
    return "\n".join(line for part in header.replace(";", "\n").splitlines() if (line := " ".join(part.split())))


@dataclass(kw_only=True)
class Failures:
    """Starts of one header that failed in a row. `error` is the last one's; no other is tried before `held_until`."""

    error: ReplError
    count: int = 0
    held_until: float = 0.0

    def summary(self) -> ReplStartError:
        """For who has waited long enough for a REPL that does not come up."""
        kind = ImportDiedError if isinstance(self.error, ImportDiedError) else ReplStartError
        return kind(f"{self.count} starts of a REPL failed in a row, the last because {self.error.message}")


class Headers:
    """All of them are normal (`normal`), and moments are monotonic."""

    def __init__(self, *, first_seconds: float, most_seconds: float, rng: random.Random) -> None:
        """Nothing is known yet. How long starts are held after a failure is as in `workers.backoff`."""
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._rng = rng
        self._importable: LRU[str, None] = LRU(KNOWN_HEADERS)  # the last asked for at the end
        self._bad: LRU[str, tuple[HeaderError | InvalidInputError, float]] = LRU(
            BAD_HEADERS
        )  # what is wrong with it, and until when that is believed
        self._failures: LRU[str, Failures] = LRU(KNOWN_HEADERS)

    def __repr__(self) -> str:
        return f"<Headers {len(self._importable)} importable, {len(self._bad)} bad, {len(self._failures)} failing>"

    @property
    def are_failing(self) -> bool:
        """Whether the last start of any header failed."""
        return bool(self._failures)

    def failures(self, header: str) -> Failures | None:
        """Those since its REPLs last came up."""
        return self._failures.peek(header)

    def ask_for(self, header: str, now: float) -> None:
        """Somebody wants a REPL with it.

        Raises:
            HeaderError: Lean could not import it a moment ago.
            InvalidInputError: no REPL could be asked to.
        """
        if (bad := self._bad.peek(header)) is not None:
            error, until = bad
            if now < until:
                raise type(error)(error.message)
            del self._bad[header]
        if header in self._importable:
            self._importable[header] = None  # asked for last

    def can_be_imported(self, header: str) -> None:
        """A REPL came up with it."""
        self._failures.pop(header, None)
        self._bad.pop(header, None)
        if header not in self._importable:
            self._importable[header] = None

    def cannot_be_imported(self, header: str, error: HeaderError | InvalidInputError, now: float) -> None:
        self._bad[header] = (error, now + BAD_HEADER_SECONDS)
        self._importable.pop(header, None)

    def start_failed(self, header: str, error: ReplError, now: float) -> tuple[int, float]:
        """How many have failed in a row, this one included, and in how many seconds the next may be tried."""
        failed = self._failures.setdefault(header, Failures(error=error))
        failed.error = error
        failed.count += 1
        delay = backoff_seconds(
            failed.count, first_seconds=self._first_seconds, most_seconds=self._most_seconds, rng=self._rng
        )
        failed.held_until = now + delay
        return failed.count, delay

    def known(self, running: Iterable[str]) -> tuple[str, ...]:
        """Headers that can be imported, by when they were asked for; forgotten ones that are `running` come last."""
        return tuple(dict.fromkeys((*reversed(tuple(self._importable)), *running)))

    def held(self, now: float) -> frozenset[str]:
        """Headers whose starts fail: not to be started now."""
        return frozenset(header for header, failed in self._failures.items() if failed.held_until > now)

    def held_until(self) -> Iterator[float]:
        """When they may be, each of them."""
        return (failed.held_until for failed in self._failures.values())
