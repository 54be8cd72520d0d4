"""What restoring costs on this worker, learned from what it did cost: exponentially weighted averages."""

from producer.state import CommandStep, SorryStep, Step, TacticStep
from workers.lru import LRU

_REMEMBERED_STEPS = 20_000
_WEIGHT = 0.1  # of each new measurement


class Average:
    """A running mean in which old values fade; `initial` counts until the first measurement."""

    def __init__(self, initial: float, *, weight: float = _WEIGHT) -> None:
        self._value = initial
        self._weight = weight
        self._is_measured = False

    @property
    def value(self) -> float:
        return self._value

    def add(self, measured: float) -> None:
        self._value = measured if not self._is_measured else self._value + self._weight * (measured - self._value)
        self._is_measured = True


class Costs:
    """Seconds, for the planner. The initial values are those of a small Lean and a store nearby; they soon give way.

    A step that was run on this worker is remembered by the id of the state it led to. Others count as the average of
    their kind.
    """

    def __init__(self, *, command_seconds: float = 0.02, tactic_seconds: float = 0.005) -> None:
        """The times for a step are first guesses."""
        self._kinds: dict[type[Step], Average] = {
            CommandStep: Average(command_seconds),
            TacticStep: Average(tactic_seconds),
        }
        self._steps: LRU[str, float] = LRU(_REMEMBERED_STEPS)
        self._fetch = Average(0.005)
        self._load = Average(0.01)
        self._export = Average(0.1)

    def add_step(self, step: Step, leads_to: str, seconds: float) -> None:
        self._kinds[type(step)].add(seconds)
        self._steps[leads_to] = seconds

    def add_fetch(self, seconds: float) -> None:
        self._fetch.add(seconds)

    def add_load(self, seconds: float) -> None:
        self._load.add(seconds)

    def add_export(self, seconds: float) -> None:
        self._export.add(seconds)

    def step_seconds(self, step: Step, leads_to: str) -> float:
        if isinstance(step, SorryStep):
            return 0.0  # a part of the reply to the step before it
        known = self._steps.peek(leads_to)
        return self._kinds[type(step)].value if known is None else known

    @property
    def fetch_seconds(self) -> float:
        """To look a small blob up in the store and have it here."""
        return self._fetch.value

    @property
    def load_seconds(self) -> float:
        """For the REPL to take a pickle in."""
        return self._load.value

    @property
    def export_seconds(self) -> float:
        return self._export.value
