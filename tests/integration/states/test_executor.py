"""What becomes of operations, on real Lean processes."""

import pytest

from producer.operation import ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.result import ImportStateResult, Restored, RunCodeResult, RunTacticsResult
from producer.state import CommandStep, PrefixRef, SorryStep, StateRef, TacticStep
from tests.integration.states.conftest import Start, Worker

CONJUNCTION = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by sorry"
ENDLESS = "repeat (first | skip)"


async def hole(worker: Worker, code: str = CONJUNCTION, index: int = 0) -> StateRef:
    result = await worker.run(RunCode(code=code))
    assert isinstance(result, RunCodeResult)
    state = result.sorries[index].state
    assert state is not None
    return state


async def try_tactics(worker: Worker, state: StateRef, *tactics: str, timeout_seconds: float = 60) -> RunTacticsResult:
    result = await worker.run(RunTactics(state=state, tactics=tactics, timeout_seconds=timeout_seconds))
    assert isinstance(result, RunTacticsResult)
    return result


async def test_commands_give_messages_sorries_and_an_environment(start: Start) -> None:
    async with start() as worker:
        result = await worker.run(RunCode(code=CONJUNCTION))
        assert isinstance(result, RunCodeResult)
        assert result.outcome is Outcome.OK
        assert [message.severity for message in result.messages] == ["warning"]
        assert [sorry.goal for sorry in result.sorries] == ["p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"]
        assert result.state is not None
        assert result.state.kind == "environment"
        assert result.project == worker.pool.project.fingerprint


async def test_an_error_of_lean_is_an_outcome_and_the_environment_is_usable(start: Start) -> None:
    async with start() as worker:
        result = await worker.run(RunCode(code="theorem good : True := trivial\ntheorem bad : False := trivial"))
        assert isinstance(result, RunCodeResult)
        assert result.outcome is Outcome.LEAN_ERROR
        assert len(result.errors) == 1
        further = await worker.run(RunCode(code="example : True := good", state=result.state))
        assert further.outcome is Outcome.OK


async def test_positions_are_those_of_the_text_with_its_imports(start: Start) -> None:
    async with start() as worker:
        result = await worker.run(RunCode(code="import Init\n\ntheorem bad : False := trivial"))
        assert isinstance(result, RunCodeResult)
        position = result.errors[0].pos
        assert position is not None
        assert position.line == 3


async def test_a_module_that_does_not_exist_is_the_texts_own_fault(start: Start) -> None:
    async with start() as worker:
        result = await worker.run(RunCode(code="import No.Such.Module\n#check Nat"))
        assert result.outcome is Outcome.LEAN_ERROR
        assert isinstance(result, RunCodeResult)
        assert "unknown module" in result.reason
        assert result.state is None


async def test_each_tactic_has_its_own_outcome(start: Start) -> None:
    async with start() as worker:
        state = await hole(worker)
        result = await try_tactics(
            worker, state, "constructor", "exact nonsense", "exact ⟨hp, hq⟩", "not a tactic", "have h : q := by sorry"
        )
        assert result.outcome is Outcome.OK
        split, unknown, proved, unparsed, holed = result.tactics
        assert len(split.goals) == 2
        assert unknown.outcome is Outcome.LEAN_ERROR
        assert "nonsense" in unknown.reason
        assert proved.is_complete
        assert unparsed.outcome is Outcome.LEAN_ERROR
        assert unparsed.reason
        assert holed.ok
        assert holed.sorries[0].state is not None
        again = await try_tactics(worker, holed.sorries[0].state, "exact hq")
        assert again.tactics[0].goals == ()


async def test_an_endless_tactic_takes_no_other_with_it(start: Start) -> None:
    async with start() as worker:
        state = await hole(worker)
        result = await try_tactics(worker, state, "constructor", ENDLESS, "exact ⟨hp, hq⟩", ENDLESS, timeout_seconds=3)
        assert [tactic.outcome for tactic in result.tactics] == [
            Outcome.OK,
            Outcome.TIMEOUT,
            Outcome.OK,
            Outcome.TIMEOUT,
        ]
        assert result.tactics[2].is_complete
        assert result.outcome is Outcome.OK


async def test_a_tactic_that_needs_too_much_memory_is_told_apart_from_a_slow_one(start: Start) -> None:
    async with start() as worker:
        state = await hole(worker)
        result = await worker.run(RunTactics(state=state, tactics=(ENDLESS,), timeout_seconds=60, memory_bytes=1))
        assert isinstance(result, RunTacticsResult)
        assert result.tactics[0].outcome is Outcome.OUT_OF_MEMORY


async def test_a_time_limit_covers_commands(start: Start) -> None:
    async with start() as worker:
        result = await worker.run(RunCode(code=f"example : True := by {ENDLESS}", timeout_seconds=0.5))
        assert result.outcome is Outcome.TIMEOUT
        assert (await worker.run(RunCode(code="example : True := trivial"))).outcome is Outcome.OK


async def test_a_process_that_dies_is_told_with_the_end_of_its_stderr(start: Start) -> None:
    async with start(dies_at="deadly") as worker:
        result = await worker.run(RunCode(code="#check deadly"))
        assert result.outcome is Outcome.REPL_DIED
        assert "INTERNAL PANIC" in result.reason
        assert (await worker.run(RunCode(code="example : True := trivial"))).outcome is Outcome.OK


async def test_a_tactic_that_kills_its_process_takes_no_other_with_it(start: Start) -> None:
    async with start(dies_at="deadly") as worker:
        result = await try_tactics(worker, await hole(worker), "deadly", "exact ⟨hp, hq⟩", "deadly", "constructor")
        assert [tactic.outcome for tactic in result.tactics] == [
            Outcome.REPL_DIED,
            Outcome.OK,
            Outcome.REPL_DIED,
            Outcome.OK,
        ]


async def test_a_state_is_warm_where_it_was_made_and_replayed_where_it_was_not(start: Start) -> None:
    async with start() as here, start() as there:
        state = await hole(here)
        first = await try_tactics(here, state, "constructor")
        after = first.tactics[0].state
        assert after is not None
        assert first.restored is Restored.WARM
        assert (await here.run(ImportState(state=after))).restored is Restored.WARM
        elsewhere = await there.run(ImportState(state=after))
        assert isinstance(elsewhere, ImportStateResult)
        assert elsewhere.restored is Restored.REPLAY
        assert elsewhere.goals == first.tactics[0].goals
        assert elsewhere.timing.restoring_seconds > 0
        assert (await there.run(ImportState(state=after))).restored is Restored.WARM


async def test_what_is_missing_is_run_from_the_nearest_ancestor(start: Start) -> None:
    async with start() as here, start() as there:
        state = await hole(here)
        await there.run(ImportState(state=state))
        result = await there.run(RunTactics(state=state.then(TacticStep("constructor")), tactics=("exact hp",)))
        assert isinstance(result, RunTacticsResult)
        assert result.restored is Restored.STEP
        assert len(result.tactics[0].goals) == 1


async def test_commands_before_the_proof_are_part_of_its_recipe(start: Start) -> None:
    async with start() as here, start() as there:
        first = await here.run(RunCode(code="def two : Nat := 2"))
        assert isinstance(first, RunCodeResult)
        second = await here.run(RunCode(code="theorem a : two = 2 := by sorry", state=first.state))
        assert isinstance(second, RunCodeResult)
        state = second.sorries[0].state
        assert state is not None
        result = await try_tactics(there, state, "rfl")
        assert result.restored is Restored.REPLAY
        assert result.tactics[0].is_complete


async def test_the_right_one_of_several_sorries_is_restored(start: Start) -> None:
    code = "theorem a (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨by sorry, by sorry⟩"
    async with start() as here, start() as there:
        state = await hole(here, code, index=1)
        result = await there.run(ImportState(state=state))
        assert isinstance(result, ImportStateResult)
        assert result.goals[0].endswith("⊢ q")


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ((CommandStep("theorem a : True := trivial"), SorryStep(0)), "left 0 sorries"),
        ((CommandStep(CONJUNCTION), SorryStep(0), TacticStep("exact nonsense")), "step 2"),
    ],
)
async def test_a_recipe_that_does_not_lead_to_a_state_is_unavailable(
    start: Start, steps: tuple[CommandStep | SorryStep | TacticStep, ...], says: str
) -> None:
    async with start() as worker:
        result = await worker.run(ImportState(state=StateRef(steps=steps)))
        assert result.outcome is Outcome.STATE_UNAVAILABLE
        assert says in result.reason


CUT = PrefixRef(id="0" * 64, steps=1, kind="environment", sha256="1" * 64)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (StateRef(project="elsewhere"), "belongs to Lean project elsewhere"),
        (StateRef(prefix=CUT), "was cut and names no project"),
    ],
)
async def test_a_state_of_another_project_is_refused(start: Start, state: StateRef, says: str) -> None:
    async with start() as worker:
        result = await worker.run(ImportState(state=state))
        assert result.outcome is Outcome.STATE_UNAVAILABLE
        assert says in result.reason


async def test_a_wrong_memory_of_a_process_is_noticed_and_corrected(start: Start) -> None:
    async with start(spares=0) as worker:
        state = await hole(worker)
        async with worker.pool.lease() as repl:
            repl.states[state.id] = repl.states[state.id]._replace(number=999)
        result = await try_tactics(worker, state, "exact ⟨hp, hq⟩")
        assert result.tactics[0].is_complete


async def test_long_goals_are_not_remembered_but_asked_for(start: Start) -> None:
    hypotheses = " ".join(f"({'h' * 200}{number} : {number} = {number})" for number in range(30))
    async with start(spares=0) as worker:
        state = await hole(worker, f"theorem t {hypotheses} : True := by sorry")
        assert worker.executor._restorer.goals(state.id) is None
        result = await worker.run(ImportState(state=state))
        assert isinstance(result, ImportStateResult)
        assert result.restored is Restored.WARM
        assert result.goals[0].endswith("29 = 29\n⊢ True")


async def test_the_goals_of_a_state_that_is_warm_but_not_remembered_are_asked_for(start: Start) -> None:
    async with start(spares=0) as worker:
        state = await hole(worker)
        worker.executor._restorer._goals.clear()
        result = await worker.run(ImportState(state=state))
        assert isinstance(result, ImportStateResult)
        assert result.restored is Restored.WARM
        assert result.goals[0].endswith("⊢ p ∧ q")
