"""Which way to a state is the cheapest: a pure function over what is warm, what is stored, and what things cost.

Environments come back only by running their commands again: a pickled one has lost its instances, simp sets and
notation. A proof state's pickle is loaded onto the environment that it was made in, which is restored first where it is
not warm.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from producer.result import Restored
from producer.state import BlobRef
from workers.states.costs import Costs
from workers.states.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Run the steps from depth `start` on; with a blob, load it at `start`, onto the recipe's environment.

    The environment is restored by running the steps from `environment_start` on. `seconds` is what it should cost.
    """

    way: Restored
    start: int
    seconds: float
    blob: BlobRef | None = None
    environment_start: int = 0


def plan(recipe: Recipe, *, warm: Container[str], blobs: Sequence[BlobRef], costs: Costs) -> Plan:
    """The cheapest way to `recipe`'s last state.

    Args:
        recipe: the state.
        warm: ids of the states that live in the process. The header's environment does always.
        blobs: pickles that may be used, of whichever states along the recipe.
        costs: what steps, fetching and loading cost here.
    """
    if recipe.depth == 0 or recipe.ids[-1] in warm:
        return Plan(way=Restored.WARM, start=recipe.depth, seconds=0.0)
    # seconds_from[d]: to run all the steps from depth d on.
    seconds_from = [0.0] * (recipe.depth + 1)
    for depth in range(recipe.depth - 1, -1, -1):
        seconds_from[depth] = seconds_from[depth + 1] + costs.step_seconds(recipe.steps[depth], recipe.ids[depth + 1])

    def is_warm(depth: int) -> bool:
        return depth == 0 or recipe.ids[depth] in warm

    # Of what is warm the deepest is the cheapest: every step costs something.
    start = _deepest(recipe.depth - 1, lambda depth: is_warm(depth) and recipe.can_go_on_from(depth))
    best = Plan(way=Restored.STEP if start else Restored.REPLAY, start=start, seconds=seconds_from[start])
    environment_start = _deepest(recipe.base_depth, is_warm)
    to_environment = seconds_from[environment_start] - seconds_from[recipe.base_depth]
    for blob in blobs:
        if blob.steps <= recipe.base_depth or blob.steps > recipe.depth or recipe.is_environment(blob.steps):
            continue
        if not recipe.can_go_on_from(blob.steps):
            continue
        seconds = to_environment + costs.fetch_seconds + costs.load_seconds + seconds_from[blob.steps]
        if seconds < best.seconds:
            best = Plan(
                way=Restored.BLOB,
                start=blob.steps,
                seconds=seconds,
                blob=blob,
                environment_start=environment_start,
            )
    return best


def _deepest(limit: int, fits: Callable[[int], bool]) -> int:
    return next(depth for depth in range(limit, -1, -1) if fits(depth))


def replay_seconds(recipe: Recipe, costs: Costs) -> float:
    """What a worker that has nothing but the recipe would need for its steps."""
    return sum(costs.step_seconds(step, leads_to) for step, leads_to in zip(recipe.steps, recipe.ids[1:], strict=True))
