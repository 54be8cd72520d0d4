"""One operation's account: which state it needs, by which way that came, and where the time went."""

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from producer.errors import LeanFleetError
from producer.result import Restored, Result, Timing
from producer.state import BlobRef
from workers.outcomes import outcome_or_raise
from workers.pool import Handle
from workers.states.recipe import Recipe
from workers.states.restorer import Limits

R = TypeVar("R", bound=Result)


class Export(NamedTuple):
    """A state that is to be exported, as long as it lives in the REPL that knows `handle`."""

    state_id: str
    depth: int
    handle: Handle


@dataclass(kw_only=True)
class Work:
    recipe: Recipe
    blob: BlobRef | None
    timeout_seconds: float
    memory_bytes: int
    restored: Restored = Restored.NOTHING
    waiting_seconds: float = 0.0
    restoring_seconds: float = 0.0
    lean_seconds: float = 0.0
    replay_seconds: float = 0.0  # what the steps of its state cost
    exports: list[Export] = field(default_factory=list)  # what is to be exported from the REPL in hand
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A process begins to work on it: its time limit runs from now."""
        self.limits = Limits(timeout_seconds=self.timeout_seconds, memory_bytes=self.memory_bytes)

    @property
    def state_id(self) -> str:
        return self.recipe.ids[-1]

    @property
    def seconds_left(self) -> float:
        """Of the time limit, for what no process does: 0 where nothing is left."""
        return max(0.0, self.limits.started_at + self.timeout_seconds - time.monotonic())

    def account(self) -> dict[str, Any]:
        """What every result says of it."""
        return {
            "restored": self.restored,
            "timing": Timing(
                waiting_seconds=self.waiting_seconds,
                restoring_seconds=self.restoring_seconds,
                lean_seconds=self.lean_seconds,
            ),
        }

    def failed(self, kind: type[R], error: LeanFleetError) -> R:
        """The result of an operation that `error` ended; raises as `workers.outcomes.outcome_or_raise` does."""
        outcome, reason = outcome_or_raise(error)
        return kind(outcome=outcome, reason=reason, **self.account())
