"""Which states a worker that ends stores first."""

import hypothesis.strategies as st
from hypothesis import given

from workers.states.keepsakes import LOOK_FACTOR, Keepsake, Keepsakes, worth_storing

SECONDS = st.floats(0, 1000)
KEEPSAKES = st.lists(
    st.builds(Keepsake, state_id=st.uuids().map(str), depth=st.just(1), header=st.just(""), rebuild_seconds=SECONDS)
)
COSTS = st.floats(0.001, 10)


@given(keepsakes=KEEPSAKES, fetch=COSTS, load=COSTS, export=COSTS, left=st.floats(-10, 1000))
def test_the_dearest_come_first_and_no_more_than_fit(
    keepsakes: list[Keepsake], fetch: float, load: float, export: float, left: float
) -> None:
    chosen = worth_storing(keepsakes, fetch_seconds=fetch, load_seconds=load, export_seconds=export, seconds_left=left)
    assert len(chosen) * export <= max(left, 0)
    costs = [each.rebuild_seconds for each in chosen]
    assert costs == sorted(costs, reverse=True)
    assert all(seconds > LOOK_FACTOR * (fetch + load) for seconds in costs)
    spurned = [each.rebuild_seconds for each in keepsakes if each not in chosen]
    if len(chosen) < int(max(left, 0) / export):
        assert all(seconds <= LOOK_FACTOR * (fetch + load) for seconds in spurned)
    elif chosen:
        assert max(spurned, default=0) <= costs[-1]


def test_what_is_stored_is_not_stored_again() -> None:
    keepsakes = Keepsakes()
    keepsakes.add(Keepsake("a", 1, "", 5.0))
    keepsakes.add(Keepsake("b", 1, "", 5.0))
    keepsakes.forget("a")
    keepsakes.forget("unknown")
    assert [each.state_id for each in keepsakes.among(["a", "b", "c"])] == ["b"]
