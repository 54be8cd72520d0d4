"""`import leanfleet`, as a training loop uses it: real workers, real Lean."""

import asyncio
import os
from collections.abc import Iterator

import pytest

import leanfleet
from tasks.stack.fleet import local_fleet
from tests.waiting import DEADLINE_SECONDS, until

SWAP = "theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry"


@pytest.fixture(scope="module")
def settings() -> Iterator[leanfleet.Settings]:
    with local_fleet(leanfleet.Settings()) as settings:
        yield settings


async def test_a_proof_is_searched_for_tactic_by_tactic(settings: leanfleet.Settings) -> None:
    async with leanfleet.connect(settings=settings) as fleet:
        start = (await fleet.run_code(SWAP)).sorries[0].state
        assert start is not None
        first = await fleet.run_tactics(start, ["constructor", "rfl", "this is no tactic"])
        assert [tactic.outcome for tactic in first.tactics] == ["ok", "lean_error", "lean_error"]
        split = first.tactics[0]
        assert len(split.goals) == 2
        assert split.state is not None
        one = await fleet.run_tactic(split.state, "exact h.2")
        assert one.state is not None
        done = await fleet.run_tactic(one.state, "exact h.1")
        assert done.ok
        assert done.is_complete
        assert done.goals == ()


async def test_a_state_outlives_the_client_that_made_it(settings: leanfleet.Settings) -> None:
    async with leanfleet.connect(settings=settings) as fleet:
        state = (await fleet.run_code(SWAP)).sorries[0].state
        assert state is not None
        exported = (await fleet.export_state(state)).state
    assert exported is not None
    async with leanfleet.connect(settings=settings) as fleet:
        imported = await fleet.import_state(exported)
        assert imported.ok
        assert len(imported.goals) == 1
        assert (await fleet.run_tactic(exported, "exact ⟨h.2, h.1⟩")).is_complete


async def test_environments_follow_one_another(settings: leanfleet.Settings) -> None:
    async with leanfleet.connect(settings=settings) as fleet:
        first = await fleet.run_code("theorem a : True := True.intro")
        second = await fleet.run_code("theorem b : True := a", first.state)
        assert second.ok
        assert not (await fleet.run_code("theorem b : True := a")).ok


async def test_many_calls_each_get_their_own_answer(settings: leanfleet.Settings) -> None:
    async with leanfleet.connect(settings=settings) as fleet:
        texts = [f"theorem t : {number} = {number % 7} := rfl" for number in range(100)]
        results = await asyncio.gather(*map(fleet.run_code, texts))
    assert [result.ok for result in results] == [number < 7 for number in range(100)]


def test_the_blocking_client_does_the_same(settings: leanfleet.Settings) -> None:
    with leanfleet.connect_sync(settings=settings) as fleet:
        state = fleet.run_code(SWAP).sorries[0].state
        assert state is not None
        assert fleet.run_tactic(state, "exact ⟨h.2, h.1⟩").is_complete


async def test_cancelled_calls_are_never_begun(settings: leanfleet.Settings) -> None:
    """Endless ones, withdrawn while others keep every REPL busy: had they been begun, they would block them all."""
    endless = "theorem h : True := by repeat (first | skip)"
    repls = 2 * (os.cpu_count() or 1)
    async with leanfleet.connect(settings=settings) as fleet:
        ahead = [fleet.submit(leanfleet.RunCode(code=endless, timeout_seconds=1.5)) for _ in range(repls)]
        late = [fleet.submit(leanfleet.RunCode(code=endless, timeout_seconds=100.0)) for _ in range(repls)]
        await until(lambda: late[-1].sequence, "all are published")
        for call in late:
            call.cancel()
        after = await fleet.run_code("theorem a : True := True.intro", deadline_seconds=DEADLINE_SECONDS)
        assert after.ok, after
        assert {(await call).outcome for call in ahead} == {leanfleet.Outcome.TIMEOUT}
