"""The planner, against a slow model of what is cheapest."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.result import Restored
from producer.state import BlobRef, CommandStep, SorryStep, StateRef, Step, TacticStep
from workers.states.costs import Costs
from workers.states.recipe import Recipe
from workers.states.restoring import plan, replay_seconds

PROOF: tuple[Step, ...] = (
    CommandStep("def two := 2"),
    CommandStep("theorem t : p := by sorry"),
    SorryStep(0),
    TacticStep("intro a"),
    TacticStep("have b := by sorry"),
    SorryStep(0),
    TacticStep("exact b"),
)
RECIPE = Recipe.of(StateRef(steps=PROOF))


def blob(steps: int) -> BlobRef:
    return BlobRef(sha256=f"{steps:064x}", size_bytes=1, steps=steps)


def costs(*, step: float = 1.0, fetch: float = 0.1, load: float = 0.1) -> Costs:
    known = Costs(command_seconds=step, tactic_seconds=step)
    known.add_fetch(fetch)
    known.add_load(load)
    return known


def warm(*depths: int) -> set[str]:
    return {RECIPE.ids[depth] for depth in depths}


def test_a_proof_state_lives_in_the_environment_before_its_command() -> None:
    assert RECIPE.base_depth == 1
    assert Recipe.of(StateRef(steps=PROOF[:2])).base_depth == 2
    assert Recipe.of(StateRef()).base_depth == 0


@pytest.mark.parametrize(
    ("depths", "way", "start"),
    [
        ((), Restored.REPLAY, 0),
        ((7,), Restored.WARM, 7),
        ((1, 3, 7), Restored.WARM, 7),
        ((6,), Restored.STEP, 6),
        ((1,), Restored.STEP, 1),
        ((2,), Restored.REPLAY, 0),  # its sorry is a part of the reply to the command, which has to be run again
        ((3, 5), Restored.STEP, 3),  # so is that of the tactic at 5
        ((1, 2), Restored.STEP, 1),
    ],
)
def test_without_blobs_the_nearest_state_that_can_be_gone_on_from_is_taken(
    depths: tuple[int, ...], way: Restored, start: int
) -> None:
    chosen = plan(RECIPE, warm=warm(*depths), blobs=(), costs=costs())
    assert (chosen.way, chosen.start, chosen.blob) == (way, start, None)


@pytest.mark.parametrize(
    ("depths", "blobs", "start", "environment_start"),
    [
        ((), (7,), 7, 0),
        ((1,), (7,), 7, 1),
        ((), (4, 6), 6, 0),
        ((), (5,), None, 0),  # its sorry could not be had from it
        ((4,), (3,), None, 0),
        ((6,), (7,), 7, 0),  # even so: the environment and the pickle are cheaper than the last step
    ],
)
def test_a_blob_is_loaded_where_that_is_cheaper(
    depths: tuple[int, ...], blobs: tuple[int, ...], start: int | None, environment_start: int
) -> None:
    known = costs(step=10.0)
    known.add_step(PROOF[0], RECIPE.ids[1], 0.0)
    chosen = plan(RECIPE, warm=warm(*depths), blobs=[blob(steps) for steps in blobs], costs=known)
    if start is None:
        assert chosen.blob is None
    else:
        assert (chosen.way, chosen.start, chosen.environment_start) == (Restored.BLOB, start, environment_start)


def test_a_state_that_is_warm_is_never_fetched() -> None:
    assert plan(RECIPE, warm=warm(7), blobs=[blob(7)], costs=costs(fetch=0.0, load=0.0)).way is Restored.WARM


def test_measured_steps_count_as_measured() -> None:
    known = costs()
    known.add_step(PROOF[6], RECIPE.ids[7], 50.0)
    assert replay_seconds(RECIPE, known) == 2 * 1.0 + 3 * 50.0  # those that were never run count as the average
    assert plan(RECIPE, warm=(), blobs=[blob(7)], costs=known).way is Restored.BLOB
    dear_blob = costs(fetch=100.0)
    assert plan(RECIPE, warm=(), blobs=[blob(7)], costs=dear_blob).way is Restored.REPLAY


def all_ways(depths: set[int], blobs: set[int], known: Costs) -> Iterator[float]:
    """What each possible way costs, by brute force."""

    def run(start: int, end: int) -> float:
        return sum(known.step_seconds(PROOF[at], RECIPE.ids[at + 1]) for at in range(start, end))

    startable = [at for at in {0, *depths} if at == 7 or not isinstance(PROOF[at], SorryStep)]
    yield from (run(start, 7) for start in startable)
    for at in blobs - {1, 2, 5}:
        for environment in {0, *depths} & {0, 1}:
            yield run(environment, 1) + known.fetch_seconds + known.load_seconds + run(at, 7)


@given(
    st.sets(st.integers(1, 7)),
    st.sets(st.integers(1, 7)),
    st.floats(0, 10),
    st.lists(st.floats(0, 10), min_size=7, max_size=7),
)
def test_no_way_is_cheaper_than_the_one_that_was_chosen(
    depths: set[int], blobs: set[int], fetch: float, seconds: list[float]
) -> None:
    known = costs(fetch=fetch)
    for at, step in enumerate(PROOF):
        if not isinstance(step, SorryStep):
            known.add_step(step, RECIPE.ids[at + 1], seconds[at])
    chosen = plan(RECIPE, warm=warm(*depths), blobs=[blob(at) for at in blobs], costs=known)
    assert chosen.seconds == pytest.approx(min(all_ways(depths, blobs, known)), abs=1e-6)
