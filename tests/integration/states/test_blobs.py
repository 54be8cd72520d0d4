"""A blob makes restoring cheap; a bad one costs time and never the state. On real processes and both kinds of store."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from producer.operation import ExportState, ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.result import (
    ExportStateResult,
    ImportStateResult,
    Restored,
    RunCodeResult,
    RunTacticsResult,
)
from producer.state import BlobRef, CommandStep, SorryStep, StateRef, TacticStep
from producer.store import AsyncStore
from producer.store.store import BLOBS, RECIPES, blob_name
from tests.integration.states.conftest import KEY, Start, Worker
from tests.waiting import DEADLINE_SECONDS
from workers.states import blobs as blobs_module
from workers.states import restorer
from workers.states.blobs import export_name
from workers.states.signing import Signer

if TYPE_CHECKING:
    from tasks.stack.seaweed import Seaweed

THEOREM = "theorem t (p q r : Prop) (hp : p) (hq : q) (hr : r) : p ∧ q ∧ r := by sorry"
STEPS = (CommandStep(THEOREM), SorryStep(0), TacticStep("constructor"), TacticStep("exact hp"))
COMMANDS = """def two : Nat := 2
@[simp] theorem two_eq : two = 2 := rfl
class Even (n : Nat) : Prop where half : ∃ m, m + m = n
instance : Even two := ⟨⟨1, rfl⟩⟩"""
GOALS = ("case right\np q r : Prop\nhp : p\nhq : q\nhr : r\n⊢ q ∧ r",)


@pytest.fixture(params=["file", "s3"])
def store_url(request: pytest.FixtureRequest, store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The suite runs over a folder and over a bucket on a real S3 server."""
    if request.param == "file":
        return store_url
    server: Seaweed = request.getfixturevalue("s3")
    for name, value in {**server.environ, "AWS_ENDPOINT_URL": server.endpoint_url}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.bucket}/{uuid.uuid4().hex}"


async def exported(worker: Worker, steps: tuple[CommandStep | SorryStep | TacticStep, ...] = STEPS) -> StateRef:
    result = await worker.run(ExportState(state=StateRef(steps=steps)))
    assert isinstance(result, ExportStateResult)
    assert result.outcome is Outcome.OK, result.reason
    assert result.state is not None
    return result.state


async def imported(worker: Worker, state: StateRef) -> ImportStateResult:
    result = await worker.run(ImportState(state=state))
    assert isinstance(result, ImportStateResult)
    assert result.outcome is Outcome.OK, result.reason
    return result


def blob_of(state: StateRef) -> BlobRef:
    assert state.blob is not None
    return state.blob


async def test_an_exported_state_is_restored_elsewhere_from_its_blob(start: Start) -> None:
    async with start() as here, start(dear=True) as there:
        state = await exported(here)
        assert (blob_of(state).steps, state.id) == (4, state.id)
        result = await imported(there, StateRef.from_json(state.to_json()))
        assert result.restored is Restored.BLOB
        assert result.goals == GOALS
        going_on = await there.run(RunTactics(state=state, tactics=("exact ⟨hq, hr⟩", "exact hp")))
        assert isinstance(going_on, RunTacticsResult)
        assert going_on.tactics[0].goals == ()
        assert going_on.tactics[1].outcome is Outcome.LEAN_ERROR


async def stored_blobs(worker: Worker) -> int:
    return len([info async for info in worker.store.list(f"{BLOBS}/")])


@pytest.mark.usefixtures("patient")
async def test_a_state_that_is_exported_again_anywhere_is_one_object(start: Start) -> None:
    async with start(size=2) as here, start() as there:
        refs = await asyncio.gather(*(exported(here) for _ in range(6)))
        refs += [await exported(there), await exported(here)]
        assert len(set(refs)) == 1
        assert refs[0].blob is not None
        assert await stored_blobs(here) == 1


@pytest.mark.usefixtures("patient")
async def test_workers_that_export_a_state_at_once_agree_on_one_blob(start: Start) -> None:
    async with start() as here, start() as there:
        one, other = await asyncio.gather(exported(here), exported(there))
        assert one == other
        assert one.blob is not None


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("again_on", ["here", "there", "reader"])
async def test_a_blob_that_expired_before_its_announcement_is_made_again(start: Start, again_on: str) -> None:
    async with start() as here, start(cache_directory="") as there, start(dear=True) as reader:
        old = await exported(here)
        assert (await imported(reader, old)).restored is Restored.BLOB  # and keeps it on its disk
        await here.store.delete([blob_name(blob_of(old).sha256)])
        new = await exported({"here": here, "there": there, "reader": reader}[again_on])
        assert await here.store.exists(blob_of(new).sha256)
    async with start(dear=True) as another:
        assert (await imported(another, msgspec.structs.replace(new, blob=None))).restored is Restored.BLOB


async def test_nothing_is_left_in_the_folder_that_a_repl_shares_with_its_worker(start: Start) -> None:
    async with start() as here, start(dear=True) as there:
        assert (await imported(there, await exported(here))).restored is Restored.BLOB
        for worker in (here, there):
            async with worker.pool.lease() as repl:
                assert repl.folder is not None
                assert not list(repl.folder.glob("state-*"))


async def test_the_steps_after_a_blob_are_run_again(start: Start) -> None:
    async with start() as here, start(dear=True) as there:
        state = await exported(here)
        result = await imported(there, state.then(TacticStep("constructor"), TacticStep("exact hq")))
        assert result.restored is Restored.BLOB
        assert result.goals[0].endswith("⊢ r")


async def test_a_blob_is_loaded_onto_the_environment_it_was_made_in(start: Start) -> None:
    """With what a pickled environment loses: simp sets and instances of the session."""
    steps = (
        CommandStep(COMMANDS),
        CommandStep("theorem a (n : Nat) (h : n = two) : n = two := by sorry"),
        SorryStep(0),
    )
    async with start() as here, start(dear=True) as there:
        state = await exported(here, steps)
        result = await imported(there, state)
        assert result.restored is Restored.BLOB
        after = await there.run(RunTactics(state=state, tactics=("have : Even two := inferInstance", "simp at h")))
        assert isinstance(after, RunTacticsResult)
        assert [tactic.outcome for tactic in after.tactics] == [Outcome.OK, Outcome.OK]
        assert any("n = 2" in line for line in after.tactics[1].goals[0].splitlines())


async def test_a_blob_after_which_the_next_step_fails_is_not_believed(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as here, start(dear=True) as there:
        state, other = await exported(here), await exported(here, STEPS[:3])
        blob = msgspec.structs.replace(blob_of(other), steps=4)
        blob = msgspec.structs.replace(blob, signature=Signer(KEY).sign(blob, state.id))
        wrong = msgspec.structs.replace(state, blob=blob)
        result = await imported(there, wrong.then(TacticStep("constructor"), TacticStep("exact hq")))
        assert result.restored is Restored.REPLAY
        assert result.goals[0].endswith("⊢ r")
        assert_told(there, caplog, state, "rejected")
        assert (await imported(there, state)).goals == GOALS


async def test_what_is_cheap_to_run_again_is_not_fetched(start: Start) -> None:
    async with start() as here, start() as there:
        state = await exported(here)
        for _ in range(20):
            there.executor._costs.add_fetch(10.0)
        assert (await imported(there, state)).restored is Restored.REPLAY


def assert_told(worker: Worker, log: pytest.LogCaptureFixture, state: StateRef, *reasons: str) -> None:
    """One blob was of no use, for one of these reasons: it is counted, and a line of the log names state and reason."""
    fallbacks = {name: count for name, count in worker.executor.counts.items() if name.startswith("fallback_")}
    assert list(fallbacks.values()) == [1]
    (reason,) = (name.removeprefix("fallback_") for name in fallbacks)
    assert reason in reasons
    lines = [record.getMessage() for record in log.records if record.name == "leanfleet.states"]
    assert len(lines) == 1
    assert state.id[:12] in lines[0]
    assert f"its blob is {reason}: " in lines[0]


# Bad blobs. Each takes the store and an exported state and gives the state that another worker is handed.

Spoil = Callable[[AsyncStore, StateRef], Awaitable[StateRef]]


async def deleted(store: AsyncStore, state: StateRef) -> StateRef:
    await store.delete([blob_name(blob_of(state).sha256)])
    return state


async def truncated(store: AsyncStore, state: StateRef) -> StateRef:
    name = blob_name(blob_of(state).sha256)
    await store.put_named(name, (await store.get_named(name))[:-100])
    return state


async def bit_flipped(store: AsyncStore, state: StateRef) -> StateRef:
    name = blob_name(blob_of(state).sha256)
    data = bytearray(await store.get_named(name))
    data[len(data) // 2] ^= 4
    await store.put_named(name, bytes(data))
    return state


async def wrongly_signed(_store: AsyncStore, state: StateRef) -> StateRef:
    blob = msgspec.structs.replace(
        blob_of(state), signature=Signer("another fleet's key").sign(blob_of(state), state.id)
    )
    return msgspec.structs.replace(state, blob=blob)


async def unsigned(_store: AsyncStore, state: StateRef) -> StateRef:
    return msgspec.structs.replace(state, blob=msgspec.structs.replace(blob_of(state), signature=""))


async def signed_by_nobody(_store: AsyncStore, state: StateRef) -> StateRef:
    return msgspec.structs.replace(state, blob=msgspec.structs.replace(blob_of(state), signature="é"))


async def of_another_state(_store: AsyncStore, state: StateRef) -> StateRef:
    other = StateRef(project=state.project, steps=(*STEPS[:3], TacticStep("assumption")))
    return msgspec.structs.replace(other, blob=blob_of(state))


async def _signed(store: AsyncStore, state: StateRef, data: bytes) -> StateRef:
    """As if a worker of this fleet had made a blob of `data`."""
    sha256 = await store.put(data)
    blob = BlobRef(sha256=sha256, size_bytes=len(data), steps=state.depth)
    blob = msgspec.structs.replace(blob, signature=Signer(KEY).sign(blob, state.id))
    return msgspec.structs.replace(state, blob=blob)


async def garbage(store: AsyncStore, state: StateRef) -> StateRef:
    return await _signed(store, state, hashlib.sha256(b"garbage").digest() * 100)


async def empty(store: AsyncStore, state: StateRef) -> StateRef:
    return await _signed(store, state, b"")


async def a_bomb(_store: AsyncStore, state: StateRef) -> StateRef:
    """It says that it unpacks to less than it does."""
    blob = msgspec.structs.replace(blob_of(state), unpacked_bytes=1000)
    blob = msgspec.structs.replace(blob, signature=Signer(KEY).sign(blob, state.id))
    return msgspec.structs.replace(state, blob=blob)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (deleted, "missing"),
        (truncated, "corrupt"),
        (bit_flipped, "corrupt"),
        (a_bomb, "corrupt"),
        (wrongly_signed, "refused"),
        (unsigned, "refused"),
        (signed_by_nobody, "refused"),
        (of_another_state, "refused"),
        (empty, "unreadable"),
    ],
)
async def test_a_bad_blob_costs_time_and_never_the_state(
    start: Start, spoil: Spoil, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as here, start(dear=True) as there:
        state = await spoil(here.store, await exported(here))
        result = await imported(there, state)
        assert result.goals == GOALS
        assert result.restored is Restored.REPLAY
        assert_told(there, caplog, state, reason)


async def test_a_signed_blob_that_is_no_pickle_costs_time_and_never_the_state(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as here, start(dear=True) as there:
        state = await garbage(here.store, await exported(here))
        result = await imported(there, state)
        assert result.goals == GOALS
        assert result.restored is Restored.REPLAY
        assert_told(there, caplog, state, "rejected", "killed")  # Lean may refuse it or die of it


async def test_a_blob_that_kills_who_loads_it_is_tried_once(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    async with start() as here, start(dear=True, dies_at="unpickleProofStateFrom") as there:
        state = await exported(here)
        result = await imported(there, state)
        assert result.goals == GOALS
        assert result.restored is Restored.REPLAY
        # A descendant would load the same blob.
        further = await imported(there, state.then(TacticStep("constructor")))
        assert len(further.goals) == 2
        assert_told(there, caplog, state, "killed")


@pytest.mark.usefixtures("patient")
async def test_a_blob_that_proved_bad_is_replaced_by_the_next_export(start: Start) -> None:
    async with start() as here, start(dear=True, dies_at="unpickleProofStateFrom") as there:
        deadly = await exported(here)
        assert (await imported(there, deadly)).restored is Restored.REPLAY
        result = await there.run(ExportState(state=deadly))
        assert isinstance(result, ExportStateResult)
        assert result.state is not None
        assert blob_of(result.state).sha256 != blob_of(deadly).sha256
    async with start(dear=True) as another:
        (found,) = await another.executor._blobs.find({4: deadly.id})
        assert found == blob_of(result.state)
        assert (await imported(another, msgspec.structs.replace(deadly, blob=None))).restored is Restored.BLOB


async def test_a_blob_of_another_toolchain_is_never_loaded(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The fingerprint is a part of the state's id, and the id is signed with the blob."""
    async with start(fingerprint="an older toolchain") as here, start(dear=True) as there:
        old = await exported(here)
        assert (await there.run(ImportState(state=old))).outcome is Outcome.STATE_UNAVAILABLE
        moved = msgspec.structs.replace(old, project=there.pool.project.fingerprint)
        result = await imported(there, moved)
        assert result.goals == GOALS
        assert result.restored is Restored.REPLAY
        assert_told(there, caplog, moved, "refused")


async def test_a_store_that_is_lost_costs_time_and_never_the_state(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as here, start(dear=True) as there:
        state = await exported(here)

        async def lost(*_: object, **__: object) -> bytes:
            from producer.errors import StoreUnavailableError  # noqa: PLC0415

            raise StoreUnavailableError("gone")

        monkeypatch.setattr(there.store, "get", lost)
        assert (await imported(there, state)).goals == GOALS
        assert there.executor.counts["fallback_unavailable"] == 1


async def test_a_store_that_hangs_costs_time_and_neither_the_state_nor_its_time_limit(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restorer, "_FETCH_SECONDS", 1.5)
    async with start() as here, start(dear=True) as there:
        state = await exported(here)
        monkeypatch.setattr(there.store, "get", lambda _sha256: asyncio.Event().wait())
        result = await there.run(ImportState(state=state, timeout_seconds=1.0))
        assert isinstance(result, ImportStateResult)
        assert result.goals == GOALS, result.reason
        assert there.executor.counts["fallback_unavailable"] == 1
        # The next one does not wait for it.
        assert (await imported(there, state.then(TacticStep("constructor")))).restored is Restored.STEP
        assert there.executor.counts["fallback_unavailable"] == 1


async def test_what_fetching_and_loading_take_is_not_the_operations_time(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as here, start(dear=True) as there:
        state = await exported(here)
        get = there.store.get

        async def get_slowly(sha256: str) -> bytes:
            await asyncio.sleep(0.01)
            return await get(sha256)

        monkeypatch.setattr(there.store, "get", get_slowly)
        result = await there.run(ImportState(state=state, timeout_seconds=0.001))
        assert isinstance(result, ImportStateResult)
        assert (result.outcome, result.restored, result.goals) == (Outcome.OK, Restored.BLOB, GOALS), result.reason
        assert not [line for line in caplog.messages if state.id[:12] in line]


async def test_a_store_that_hangs_is_not_asked_again_and_again_what_there_is(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs_module, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(blobs_module, "_DOWN_SECONDS", 3600.0)
    asked = 0

    async def hang(_name: str) -> bytes:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        return b""

    async with start(dear=True) as there:
        monkeypatch.setattr(there.store, "get_named", hang)
        for tactic in ("constructor", "skip"):
            await imported(there, StateRef(steps=(*STEPS[:2], TacticStep(tactic))))
            async with there.pool.lease() as repl:
                repl.states.clear()
            assert asked == 2  # for the state and the one before it


async def test_an_export_to_a_store_that_hangs_keeps_no_repl_and_is_answered_without_a_blob(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    tries = 0

    async def hang(*_: object, **__: object) -> str:
        nonlocal tries
        tries += 1
        asked.set()
        await asyncio.Event().wait()
        return ""

    async with start(cut_recipe_bytes=200) as worker, asyncio.timeout(DEADLINE_SECONDS):
        monkeypatch.setattr(worker.store, "put", hang)
        exporting = asyncio.create_task(worker.run(ExportState(state=StateRef(steps=STEPS), timeout_seconds=5.0)))
        await asked.wait()
        async with worker.pool.lease():
            assert not exporting.done()
        result = await exporting
        again = await worker.run(ExportState(state=StateRef(steps=STEPS)))
        assert tries == 1  # the next one does not wait for it
        for each, says in ((result, "did not answer within"), (again, "a moment ago")):
            assert isinstance(each, ExportStateResult)
            assert each.outcome is Outcome.OK
            assert says in each.reason
            assert each.state == StateRef(project=worker.pool.project.fingerprint, steps=STEPS)


async def test_an_exported_state_whose_store_is_lost_is_answered_without_its_blob(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as here, start(cache_directory="") as there:
        state = await exported(here)

        async def lost(*_: object, **__: object) -> bytes:
            from producer.errors import StoreUnavailableError  # noqa: PLC0415

            raise StoreUnavailableError("gone")

        monkeypatch.setattr(there.store, "get", lost)
        result = await there.run(ExportState(state=state))
        assert isinstance(result, ExportStateResult)
        assert (result.outcome, result.reason) == (Outcome.OK, "nothing was stored: gone")
        assert result.state == msgspec.structs.replace(state, blob=None)


async def test_a_pickle_that_kills_its_process_costs_time_and_never_the_state(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(dies_at="pickleTo") as worker:
        result = await worker.run(ExportState(state=StateRef(steps=STEPS)))
        assert isinstance(result, ExportStateResult)
        assert result.outcome is Outcome.OK
        assert "INTERNAL PANIC" in result.reason
        assert result.state is not None
        assert result.state.blob is None
        assert (await imported(worker, result.state)).goals == GOALS
        again = await worker.run(ExportState(state=StateRef(steps=STEPS)))
        assert again.outcome is Outcome.OK
        assert worker.executor.counts["export_killed"] == 1
        told = [line for line in caplog.messages if result.state.id[:12] in line and "INTERNAL PANIC" in line]
        assert len(told) == 1


async def test_an_environment_is_restored_by_running_its_commands(start: Start) -> None:
    async with start() as here, start(dear=True) as there:
        made = await here.run(RunCode(code=COMMANDS))
        assert isinstance(made, RunCodeResult)
        assert made.state is not None
        result = await here.run(ExportState(state=made.state))
        assert isinstance(result, ExportStateResult)
        assert result.outcome is Outcome.OK
        assert result.state == made.state
        there_too = await there.run(RunCode(code="example : Even two := inferInstance", state=result.state))
        assert there_too.outcome is Outcome.OK
        assert there_too.restored is Restored.REPLAY


async def test_a_long_chain_is_cut_by_exporting_and_is_the_same_state(start: Start) -> None:
    async with start(cut_recipe_bytes=200) as here, start() as there:
        whole = StateRef(project=here.pool.project.fingerprint, steps=STEPS)
        state = await exported(here)
        assert state.steps == ()
        assert len(state.to_json()) < 1024
        assert (state.id, state.depth, state.kind) == (whole.id, 4, "proof_state")
        result = await imported(there, state.then(TacticStep("constructor"), TacticStep("exact hq")))
        assert result.goals[0].endswith("⊢ r")
        again = await there.run(ExportState(state=state))
        assert isinstance(again, ExportStateResult)
        assert again.state is not None
        assert again.state.id == whole.id


async def test_a_damaged_recipe_is_mended_by_whoever_exports_the_state_again(start: Start) -> None:
    async with start(cut_recipe_bytes=200) as here:
        state = await exported(here)
        assert state.prefix is not None
        await here.store.put_named(blob_name(state.prefix.sha256, RECIPES), b"{")
        async with start() as there:
            lost = await there.run(ImportState(state=state))
            assert lost.outcome is Outcome.STATE_UNAVAILABLE
            assert await exported(here) == state
            assert (await imported(there, state)).goals == GOALS


async def test_a_short_time_limit_is_for_lean_and_not_for_the_store_that_has_the_recipe(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(cut_recipe_bytes=200) as here, start(dear=True) as there:
        state = await exported(here)
        get = there.store.get

        async def get_slowly(sha256: str, *, folder: str = BLOBS) -> bytes:
            await asyncio.sleep(0.01)
            return await get(sha256, folder=folder)

        monkeypatch.setattr(there.store, "get", get_slowly)
        result = await there.run(ImportState(state=state, timeout_seconds=0.001))
        assert isinstance(result, ImportStateResult)
        assert (result.outcome, result.goals) == (Outcome.OK, GOALS), result.reason


async def test_a_recipe_in_the_store_is_checked_against_the_id(start: Start) -> None:
    async with start(cut_recipe_bytes=200) as here, start() as there:
        state = await exported(here)
        assert state.prefix is not None
        other = await here.store.put(
            StateRef(project=state.project, steps=STEPS[:3]).to_json().encode(), folder=RECIPES
        )
        forged = msgspec.structs.replace(state, prefix=msgspec.structs.replace(state.prefix, sha256=other))
        result = await there.run(ImportState(state=forged))
        assert result.outcome is Outcome.STATE_UNAVAILABLE
        # Neither does one worker's knowledge of the recipe make another prefix true.
        assert (await imported(there, state)).goals == GOALS
        for lie in ({"steps": 3}, {"id": "0" * 64}, {"kind": "environment"}):
            forged = msgspec.structs.replace(state, prefix=msgspec.structs.replace(state.prefix, **lie))
            assert (await there.run(ImportState(state=forged))).outcome is Outcome.STATE_UNAVAILABLE
    async with start() as there:
        await there.store.delete([blob_name(state.prefix.sha256, RECIPES)])
        gone = await there.run(ImportState(state=state))
        assert gone.outcome is Outcome.STATE_UNAVAILABLE
        assert "recipes must not expire" in gone.reason


@asynccontextmanager
async def settled(worker: Worker) -> AsyncIterator[None]:
    """At the end, wait until nothing is exported any more."""
    yield
    async with asyncio.timeout(DEADLINE_SECONDS):
        while worker.executor._exporter.tasks:
            await asyncio.wait(worker.executor._exporter.tasks)


@pytest.mark.usefixtures("patient")
async def test_a_state_that_was_dear_to_reach_is_exported_unasked_and_found_by_others(start: Start) -> None:
    async with start(export_after_seconds=0) as here, start(dear=True) as there:
        async with settled(here):
            result = await here.run(RunTactics(state=StateRef(steps=STEPS[:3]), tactics=("exact hp",)))
            assert here.executor._exporter.tasks, "the reply waited for the export"
        assert isinstance(result, RunTacticsResult)
        state = result.tactics[0].state
        assert state is not None
        assert state.blob is None
        assert await here.store.info(export_name(state.id)) is not None
        found = await imported(there, state)
        assert found.restored is Restored.BLOB
        assert found.goals == GOALS


@pytest.mark.usefixtures("patient")
async def test_a_state_that_another_worker_exported_is_not_pickled_unasked(start: Start) -> None:
    operation = RunTactics(state=StateRef(steps=STEPS[:3]), tactics=("exact hp",))
    async with start(export_after_seconds=0) as here, start(export_after_seconds=0) as there:
        for worker in (here, there):
            async with settled(worker):
                assert (await worker.run(operation)).outcome is Outcome.OK
        # The state that was asked about, and the one that the tactic led to.
        assert (here.executor.counts["exported"], there.executor.counts["exported"]) == (2, 0)
        assert await stored_blobs(here) == 2


@pytest.mark.usefixtures("patient")
async def test_what_a_process_was_to_export_dies_with_it_and_is_not_taken_from_the_next(start: Start) -> None:
    """The next process counts its proof states anew: the number of one is that of another state there."""
    before = StateRef(steps=STEPS[:3])
    async with start(export_after_seconds=0, dies_at="deadly") as here, start(dear=True) as there:
        async with settled(here):
            tactics = ("exact hp", "deadly", "skip")
            result = await here.run(RunTactics(state=before, tactics=tactics))
        assert isinstance(result, RunTacticsResult)
        assert [tactic.outcome for tactic in result.tactics] == [Outcome.OK, Outcome.REPL_DIED, Outcome.OK]
        for tactic in (result.tactics[0], result.tactics[2]):
            assert tactic.state is not None
            assert (await imported(there, tactic.state)).goals == tactic.goals


async def test_as_many_exports_are_made_at_once_as_may_be(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.states.exporter._MAX_EXPORTS", 1)
    async with start(export_after_seconds=0) as worker:
        async with settled(worker):
            await worker.run(RunTactics(state=StateRef(steps=STEPS[:3]), tactics=("exact hp",)))
        assert (worker.executor.counts["exported"], worker.executor.counts["export_skipped"]) == (2, 0)


async def test_a_worker_that_stops_in_the_middle_of_exports_gives_its_repls_back(start: Start) -> None:
    async with start(export_after_seconds=0, size=2) as worker:
        await asyncio.gather(
            *(
                worker.run(RunTactics(state=StateRef(steps=STEPS[:depth]), tactics=("skip", "constructor")))
                for depth in (2, 3, 4)
            )
        )
        assert worker.executor._exporter.tasks
        await worker.executor.aclose()
        assert not worker.executor._exporter.tasks
        async with asyncio.timeout(DEADLINE_SECONDS):
            # The pool waits for the reply to a request that was cancelled.
            while worker.pool.snapshot().busy:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)


async def test_a_forged_announcement_is_ignored(start: Start) -> None:
    async with start() as here, start(dear=True) as there:
        state = await wrongly_signed(here.store, await exported(here))
        await here.store.put_named(export_name(state.id), msgspec.json.encode(blob_of(state)))
        result = await imported(there, msgspec.structs.replace(state, blob=None))
        assert result.restored is Restored.REPLAY


@pytest.mark.parametrize(
    ("settings", "says"), [({"store": False}, "LEANFLEET_STORE_URL"), ({"blob_keys": ""}, "LEANFLEET_WORKER_BLOB_KEYS")]
)
async def test_an_export_without_store_or_key_says_what_to_set_and_loses_nothing(
    start: Start, settings: dict[str, object], says: str
) -> None:
    async with start(**settings) as worker:
        result = await worker.run(ExportState(state=StateRef(steps=STEPS)))
        assert isinstance(result, ExportStateResult)
        assert result.outcome is Outcome.OK
        assert says in result.reason
        assert result.state is not None
        assert (await imported(worker, result.state)).goals == GOALS


async def test_a_key_can_be_rotated(start: Start) -> None:
    new = "the key after this one"
    async with start() as here, start(dear=True, blob_keys=f"{new}, {KEY}") as there:
        assert (await imported(there, await exported(here))).restored is Restored.BLOB
