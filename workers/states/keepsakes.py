"""Proof states that die with this worker and would be dear to have again elsewhere: what to store before it ends.

A state is kept as its recipe whatever happens; this saves time, never a state. So it is done only in the time that a
worker has left anyway, and the decision is a pure function over what is remembered.
"""

from collections.abc import Iterable
from typing import NamedTuple

from workers.lru import LRU

_REMEMBERED = 4096
# Workers look for a stored pickle where the steps cost more than this many times fetching and loading one; see
# `workers.states.restorer`. One for anything cheaper would never be looked for.
LOOK_FACTOR = 2


class Keepsake(NamedTuple):
    """A proof state that came up here and is not stored. `rebuild_seconds` is what its steps cost, all of them."""

    state_id: str
    depth: int
    header: str
    rebuild_seconds: float


class Keepsakes:
    """What came up lately; the longest unused is forgotten."""

    def __init__(self) -> None:
        self._known: LRU[str, Keepsake] = LRU(_REMEMBERED)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, keepsake: Keepsake) -> None:
        self._known[keepsake.state_id] = keepsake

    def forget(self, state_id: str) -> None:
        """It is stored, or cannot be."""
        self._known.pop(state_id, None)

    def among(self, state_ids: Iterable[str]) -> list[Keepsake]:
        return [known for state_id in state_ids if (known := self._known.peek(state_id)) is not None]


def is_dear(rebuild_seconds: float, *, fetch_seconds: float, load_seconds: float) -> bool:
    """Whether anybody would rather load a state than run its steps again."""
    return rebuild_seconds > LOOK_FACTOR * (fetch_seconds + load_seconds)


def worth_storing(
    keepsakes: Iterable[Keepsake],
    *,
    fetch_seconds: float,
    load_seconds: float,
    export_seconds: float,
    seconds_left: float,
) -> list[Keepsake]:
    """Those to store, the dearest first: as many as there is time for, at what storing one usually costs here."""
    dear = [
        each
        for each in keepsakes
        if is_dear(each.rebuild_seconds, fetch_seconds=fetch_seconds, load_seconds=load_seconds)
    ]
    dear.sort(key=lambda each: each.rebuild_seconds, reverse=True)
    return dear[: max(0, int(seconds_left / export_seconds))]
