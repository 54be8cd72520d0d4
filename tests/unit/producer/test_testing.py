"""The client that needs no fleet, as someone's training loop is tested with it."""

import asyncio

import pytest

import leanfleet
from leanfleet import Outcome, RunCode, RunCodeResult, RunTactics, RunTacticsResult, Sorry, TacticResult


def answer(operation: leanfleet.AnyOperation) -> leanfleet.AnyResult:
    match operation:
        case RunCode():
            return RunCodeResult(outcome=Outcome.OK, project="p", sorries=(Sorry(goal="⊢ True"),))
        case RunTactics():
            tactics = [
                TacticResult(outcome=Outcome.OK if tactic == "trivial" else Outcome.LEAN_ERROR)
                for tactic in operation.tactics
            ]
            return RunTacticsResult(outcome=Outcome.OK, project="p", tactics=tuple(tactics))
        case _:
            raise AssertionError(f"never asked here: {operation}")


async def test_a_loop_runs_without_a_fleet() -> None:
    async with leanfleet.ScriptedClient(answer) as fleet:
        state = (await fleet.run_code("theorem t : True := by sorry")).sorries[0].state
        assert state is not None
        result = await fleet.run_tactics(state, ["trivial", "simp"])
        assert [tactic.ok for tactic in result.tactics] == [True, False]
        assert result.tactics[0].state is not None
        assert result.tactics[0].state.steps[:-1] == state.steps


async def test_proofs_can_be_judged_by_a_script() -> None:
    def judge(operation: leanfleet.AnyOperation) -> leanfleet.VerifyProofResult:
        assert isinstance(operation, leanfleet.VerifyProof)
        verdict = leanfleet.Verdict.NOT_PROVED if "sorry" in operation.proof else leanfleet.Verdict.PROVED
        return leanfleet.VerifyProofResult(outcome=Outcome.OK, verdict=verdict)

    async with leanfleet.ScriptedClient(judge) as fleet:
        assert (await fleet.verify_proof("theorem t : p := sorry", "theorem t : p := h")).is_proved
        assert not (await fleet.verify_proof("theorem t : p := sorry", "theorem t : p := sorry")).is_proved


async def test_answers_may_take_their_time_and_be_withdrawn() -> None:
    begun: list[str] = []
    gate = asyncio.Event()

    async def slowly(operation: leanfleet.AnyOperation) -> RunCodeResult:
        begun.append(operation.label)
        await gate.wait()
        return RunCodeResult(outcome=Outcome.OK)

    before = asyncio.all_tasks()
    async with leanfleet.ScriptedClient(slowly) as fleet:
        first, second = fleet.submit(RunCode(code="1")), fleet.submit(RunCode(code="2"))
        lost = await fleet.run_code("3", deadline_seconds=0.05)
        assert lost.outcome is Outcome.LOST
        assert begun == ["1", "2", "3"]
        second.cancel()
        gate.set()
        assert (await first).ok
    assert asyncio.all_tasks() == before


async def test_a_script_that_fails_is_heard_of(caplog: pytest.LogCaptureFixture) -> None:
    async with leanfleet.ScriptedClient(answer) as fleet:
        with pytest.raises(leanfleet.LeanFleetError, match=r"failed inside .*never asked here"):
            await fleet.export_state(leanfleet.StateRef())
    assert "never asked here" in caplog.text
