"""From "reference in hand on a worker that never saw it" to "goals back", by the way in which the state is restored.

Two workers share a store on a real S3 server; one makes and exports states, the other one meets each for the first
time. The baselines are measured in the same run: an environment brought back as the community REPL does it, which
imports all modules anew before it unpickles, and the replay of the whole recipe.

The embedded Lean's own library is so small that importing it costs as much as a few tactics. So the first two ways are
measured once more with a larger library, which is generated for it (`benchmarks._library`).
"""

import asyncio
import contextlib
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks._library import large_project
from benchmarks._table import print_table
from producer.operation import ExportState, ImportState
from producer.result import ExportStateResult, ImportStateResult, Restored
from producer.settings import Settings
from producer.state import CommandStep, SorryStep, StateRef, TacticStep
from producer.store import open_store
from tasks.stack.seaweed import Seaweed
from workers.executor import Executor
from workers.pool import AsyncLeanREPLPool, WarmREPL
from workers.project import LeanProject, embedded_project
from workers.protocol.requests import Command, PickleEnvironment, Tactic, UnpickleEnvironment
from workers.protocol.responses import CommandResponse, TacticResponse
from workers.settings import WorkerSettings
from workers.states.costs import Costs

STATES = 40
NEW_PROCESSES = 8
TACTICS = 30
# Some fifty thousand declarations: an order of magnitude less than Mathlib has; compiled within a minute or two.
MODULES, DECLARATIONS = 128, 100
LARGE_STATES = 20
BLOB = "blob onto its warm environment"
REIMPORT = "fresh import, environment unpickled"
SETTINGS = WorkerSettings(size=1, spares=0, blob_keys="a key for this benchmark", export_after_seconds=1e9)


class Sample:
    """Milliseconds of one restoration, and how many of them went by between a request to Lean and its reply."""

    def __init__(self) -> None:
        self.total = 0.0
        self.in_lean = 0.0

    @property
    def outside(self) -> float:
        return self.total - self.in_lean


_current: Sample | None = None
_send = WarmREPL.send


async def _timed_send(repl: WarmREPL, request: Any, **limits: Any) -> Any:
    started = time.perf_counter()
    try:
        return await _send(repl, request, **limits)
    finally:
        if _current is not None:
            _current.in_lean += 1e3 * (time.perf_counter() - started)


async def timed(work: Callable[[], Awaitable[object]]) -> Sample:
    global _current  # noqa: PLW0603 - one restoration at a time
    _current = sample = Sample()
    started = time.perf_counter()
    await work()
    sample.total = 1e3 * (time.perf_counter() - started)
    _current = None
    return sample


def recipe(number: int) -> StateRef:
    """A proof with helper definitions and `TACTICS` tactics, unlike all others."""
    helpers = f"def f{number} (n : Nat) : Nat := n + {number}\n" + "\n".join(
        f"theorem helper{number}_{index} (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨hp, hq⟩" for index in range(5)
    )
    goal = f"p ∧ q ∧ r ∧ f{number} 0 = f{number} 0"
    theorem = f"theorem t{number} (p q r : Prop) (hp : p) (hq : q) (hr : r) : {goal} := by sorry"
    tactics = [TacticStep(f"have h{index} : p ∧ q := helper{number}_{index % 5} p q hp hq") for index in range(TACTICS)]
    return StateRef().then(CommandStep(helpers), CommandStep(theorem), SorryStep(0), *tactics)


async def restored(executor: Executor, state: StateRef, way: Restored) -> Sample:
    async def work() -> None:
        result = await executor.execute(ImportState(state=state))
        assert isinstance(result, ImportStateResult)
        assert result.goals, result.reason
        assert result.restored is way, (result.restored, way)

    return await timed(work)


async def reimported(pool: AsyncLeanREPLPool, state: StateRef, folder: Path, header: str, *, whole: bool) -> Sample:
    """The community REPL's way: import anew, unpickle the environment, and with `whole` run what comes after it.

    The embedded Lean keeps what it has imported, so that `header` must be one that it has not met.
    """
    helpers, theorem = (step for step in state.steps if isinstance(step, CommandStep))
    async with pool.lease() as repl:
        made = await repl.send(Command(code=helpers.code, environment=repl.environment), timeout_seconds=60)
        assert isinstance(made, CommandResponse)
        path = folder / os.urandom(8).hex()
        await repl.send(PickleEnvironment(environment=made.environment, path=path), timeout_seconds=60)

        async def work() -> None:
            await repl.send(Command(code=header), timeout_seconds=60)
            loaded = await repl.send(UnpickleEnvironment(path=path), timeout_seconds=60)
            assert isinstance(loaded, CommandResponse)
            if not whole:
                return
            reply = await repl.send(Command(code=theorem.code, environment=loaded.environment), timeout_seconds=60)
            assert isinstance(reply, CommandResponse)
            at = reply.sorries[0].proof_state
            for step in state.steps:
                if isinstance(step, TacticStep):
                    assert at is not None
                    after = await repl.send(Tactic(tactic=step.tactic, proof_state=at), timeout_seconds=60)
                    assert isinstance(after, TacticResponse)
                    at = after.proof_state

        return await timed(work)


async def started_anew(project: LeanProject, pool: AsyncLeanREPLPool, folder: Path) -> Sample:
    """What moving a state takes where no warm process is kept."""
    async with pool.lease() as repl:
        made = await repl.send(Command(code="def unlike_any := 1", environment=repl.environment), timeout_seconds=60)
        assert isinstance(made, CommandResponse)
        path = folder / os.urandom(8).hex()
        await repl.send(PickleEnvironment(environment=made.environment, path=path), timeout_seconds=60)

    sample, started = Sample(), time.perf_counter()
    async with AsyncLeanREPLPool(project, SETTINGS) as fresh, fresh.lease() as repl:
        await repl.send(UnpickleEnvironment(path=path), timeout_seconds=60)
        sample.total = sample.in_lean = 1e3 * (time.perf_counter() - started)
    return sample


def header(number: int) -> str:
    """Imports of the same modules every time, in an order that was never used before."""
    modules = ("Core", "Data", "Decidable", "Div", "List", "Nat", "WF")
    order = next(itertools.islice(itertools.permutations(modules), number, None))
    return "\n".join(f"import Init.{module}" for module in order)


@asynccontextmanager
async def worker(
    project: LeanProject, settings: Settings | None, costs: Costs | None = None
) -> AsyncIterator[tuple[Executor, AsyncLeanREPLPool]]:
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings)) if settings is not None else None
        pool = await stack.enter_async_context(AsyncLeanREPLPool(project, SETTINGS))
        await pool.ready()
        yield await stack.enter_async_context(Executor(pool, store, SETTINGS, costs=costs)), pool


async def measure(settings: Settings, folder: Path) -> dict[str, list[Sample]]:
    project = await asyncio.to_thread(embedded_project)
    samples: dict[str, list[Sample]] = {}
    dear = Costs(command_seconds=1000, tactic_seconds=1000)
    with mock.patch.object(WarmREPL, "send", _timed_send):
        async with (
            worker(project, settings) as (here, _),
            worker(project, settings, dear) as (there, _),
            worker(project, None) as (without_store, pool),
        ):
            headers = 0
            for number in range(STATES):
                state = recipe(number)
                exported: list[StateRef] = []

                async def export(state: StateRef = state, exported: list[StateRef] = exported) -> None:
                    result = await here.execute(ExportState(state=state))
                    assert isinstance(result, ExportStateResult)
                    assert result.state is not None
                    assert result.state.blob is not None, result.reason
                    exported.append(result.state)

                await here.execute(ImportState(state=state))
                add(samples, "export (look, pickle, compress, sign, put, announce)", await timed(export))
                # The helpers' environment is what a search on this theorem keeps warm.
                environment = StateRef(steps=state.steps[:1])
                await there.execute(ImportState(state=environment))
                add(samples, BLOB, await restored(there, exported[0], Restored.BLOB))
                add(samples, "warm", await restored(there, exported[0], Restored.WARM))
                add(samples, "replay of all steps", await restored(without_store, state, Restored.REPLAY))
                further = state.then(TacticStep("constructor"))
                add(samples, "one step from its warm parent", await restored(without_store, further, Restored.STEP))
                for whole, name in ((False, REIMPORT), (True, "… and the proof's steps")):
                    headers += 1
                    add(samples, name, await reimported(pool, state, folder, header(headers), whole=whole))
            for _ in range(NEW_PROCESSES):
                name = "new process, import, environment unpickled"
                add(samples, name, await started_anew(project, pool, folder))
    return samples


async def measure_large(settings: Settings, folder: Path) -> tuple[dict[str, list[Sample]], int]:
    """A blob and a fresh import where the header is large; also how many bytes its compiled modules have."""
    project, size = await asyncio.to_thread(large_project, folder, modules=MODULES, declarations=DECLARATIONS)
    samples: dict[str, list[Sample]] = {}
    with mock.patch.object(WarmREPL, "send", _timed_send):
        async with (
            worker(project, settings) as (here, pool),
            worker(project, settings, Costs(command_seconds=1000, tactic_seconds=1000)) as (there, _),
        ):
            for number in range(LARGE_STATES):
                state = recipe(number)
                exported = await here.execute(ExportState(state=state))
                assert isinstance(exported, ExportStateResult)
                assert exported.state is not None
                await there.execute(ImportState(state=StateRef(steps=state.steps[:1])))
                add(samples, BLOB, await restored(there, exported.state, Restored.BLOB))
            path = folder / "environment"
            async with pool.lease() as repl:
                assert repl.environment is not None
                request = Command(code="def unlike_any := 1", environment=repl.environment)
                made = await repl.send(request, timeout_seconds=60)
                assert isinstance(made, CommandResponse)
                await repl.send(PickleEnvironment(environment=made.environment, path=path), timeout_seconds=60)
        for number in range(NEW_PROCESSES):
            add(samples, REIMPORT, await imported_afresh(project, path, header(number)))
    return samples, size


async def imported_afresh(project: LeanProject, path: Path, header: str) -> Sample:
    """Import the header and unpickle an environment, in a process that runs already and has not imported these modules.

    A process that has would need longer: the place in memory for which the modules were compiled is taken.
    """
    async with AsyncLeanREPLPool(project, SETTINGS) as pool, pool.lease() as repl:

        async def work() -> None:
            imported = await repl.send(Command(code=header), timeout_seconds=60)
            assert isinstance(imported, CommandResponse)
            assert not imported.messages
            assert isinstance(await repl.send(UnpickleEnvironment(path=path), timeout_seconds=60), CommandResponse)

        return await timed(work)


def add(samples: dict[str, list[Sample]], name: str, sample: Sample) -> None:
    samples.setdefault(name, []).append(sample)


def show(title: str, samples: dict[str, list[Sample]]) -> None:
    medians = {name: statistics.median(sample.total for sample in taken) for name, taken in samples.items()}
    rows = [
        [
            name,
            f"{medians[name]:.2f}",
            f"{statistics.median(sample.outside for sample in taken):.2f}",
            f"{sorted(sample.total for sample in taken)[int(0.95 * len(taken))]:.2f}",
            f"{medians[name] / medians[BLOB]:.2f}",
        ]
        for name, taken in sorted(samples.items(), key=lambda item: medians[item[0]])
    ]
    print(title)
    print_table(["way", "median", "outside Lean", "p95", "times blob"], rows)


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leanfleet-bench-")))
        server = stack.enter_context(Seaweed(folder / "s3"))
        stack.enter_context(mock.patch.dict(os.environ, server.environ))
        settings = Settings(store_url=server.store_url, store_endpoint_url=server.endpoint_url)
        show(
            f"a recipe of 2 commands and {TACTICS} tactics, {STATES} states, milliseconds",
            asyncio.run(measure(settings, folder)),
        )
        samples, size = asyncio.run(measure_large(settings, folder / "large"))
        show(
            f"the same behind a header of {4 * MODULES * DECLARATIONS:,} declarations in {MODULES} modules "
            f"({size / 1e6:,.0f} MB), {LARGE_STATES} states, {NEW_PROCESSES} imports",
            samples,
        )


if __name__ == "__main__":
    main()
