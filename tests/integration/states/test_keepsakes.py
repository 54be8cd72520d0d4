"""States that would die with a worker, on real Lean processes and a real store."""

import asyncio

import pytest

from producer.operation import ImportState, RunCode
from producer.outcome import Outcome
from producer.result import Restored, RunCodeResult
from producer.state import StateRef
from tests.integration.states.conftest import Start, Worker
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("patient")
# Some hundred milliseconds of work before the hole, far more than fetching a pickle takes.
_BEFORE = (f"theorem before{number} (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩" for number in range(600))
DEAR = "\n".join([*_BEFORE, "theorem dear (p q : Prop) (hp : p) (hq : q) : p ∧ q := by sorry"])


async def hole(worker: Worker, code: str) -> StateRef:
    result = await worker.run(RunCode(code=code))
    assert isinstance(result, RunCodeResult)
    state = result.sorries[0].state
    assert state is not None
    return state


async def test_what_was_dear_to_reach_is_stored_at_the_end_and_found_by_others(start: Start) -> None:
    async with start(export_after_seconds=0.01) as ending:
        dear = await hole(ending, DEAR)
        assert await ending.executor.store_keepsakes(seconds=60) == 1
        assert await ending.executor.store_keepsakes(seconds=60) == 0  # it is stored
        assert ending.executor.counts["exported_at_end"] == 1
    async with start(dear=True) as another:
        result = await another.run(ImportState(state=dear))
        assert (result.outcome, result.restored) == (Outcome.OK, Restored.BLOB)


async def test_what_another_worker_has_stored_is_not_stored_again(start: Start) -> None:
    async with start(export_after_seconds=0.01) as ending, start(export_after_seconds=0.01) as another:
        for worker, stored in ((ending, 1), (another, 0)):
            await hole(worker, DEAR)
            assert await worker.executor.store_keepsakes(seconds=60) == stored


async def test_nothing_is_stored_without_time_or_without_a_store(start: Start) -> None:
    async with start(export_after_seconds=0.01) as ending:
        await hole(ending, DEAR)
        assert await ending.executor.store_keepsakes(seconds=0.0) == 0
    async with start(store=False, export_after_seconds=0.01) as poor:
        await hole(poor, DEAR)
        assert await poor.executor.store_keepsakes(seconds=60) == 0


async def test_a_repl_at_work_is_left_alone_until_it_has_finished(start: Start) -> None:
    async with start(size=1, spares=0, export_after_seconds=0.01) as ending:
        await hole(ending, DEAR)
        async with ending.pool.lease():
            storing = asyncio.create_task(ending.executor.store_keepsakes(seconds=60))
            await until(lambda: not ending.executor._rescuer.dearest(60), "nothing is to be had")
            assert not storing.done()
        assert await storing == 1


async def test_being_told_to_stop_leaves_no_lease_behind(start: Start) -> None:
    async with start(size=1, spares=0, export_after_seconds=0.01) as ending:
        await hole(ending, DEAR)
        storing = asyncio.create_task(ending.executor.store_keepsakes(seconds=60))
        await until(lambda: ending.pool.snapshot().busy == 1 or storing.done(), "it has begun")
        storing.cancel()
        await asyncio.wait([storing])
        assert (await ending.run(RunCode(code="example : True := trivial"))).outcome is Outcome.OK


async def test_what_costs_less_than_a_worker_exports_for_is_left_to_be_run_again(start: Start) -> None:
    async with start(export_after_seconds=600.0) as ending:
        await hole(ending, DEAR)
        assert await ending.executor.store_keepsakes(seconds=60) == 0
