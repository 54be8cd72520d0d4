"""The whole of it on this computer: a real queue, real worker processes that are really killed, the real controller.

The REPLs are scripted and only sleep, so that what is measured is the fleet and not the computer.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from redis.asyncio import Redis

from producer.client import Client
from producer.outcome import Outcome
from producer.settings import Settings
from tests.machines import is_gone, worker_environ
from tests.waiting import until
from workers.guard import Guard
from workers.scaling.baselines import PolicyRule
from workers.scaling.controller import Controller, Step
from workers.scaling.observer import Observer
from workers.scaling.policy import PolicySettings
from workers.scaling.providers.local import LocalProvider
from workers.scaling.providers.process import WorkerProcess
from workers.scaling.scenario import Burst, Constant, OfferedMachines, Operations, Scenario
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.simulator import simulate
from workers.scaling.snapshot import MachineState, Offer

OFFER = Offer(name="local", slots=4, price_per_hour=1, quota=3)
# So small that a few seconds of work need several machines.
POLICY = PolicySettings(clear_within_seconds=30, useful_seconds=1, assumed_service_seconds=0.5)
AUTOSCALE = AutoscaleSettings(interval_seconds=1, assumed_boot_seconds=5)


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Fleet:
    """Steps the controller once a second until the test ends, and remembers each step."""

    def __init__(self, controller: Controller, provider: LocalProvider, clock: Clock) -> None:
        self.controller = controller
        self.provider = provider
        self.clock = clock
        self.steps: list[Step] = []
        self.stop = asyncio.Event()

    async def run(self) -> None:
        while not self.stop.is_set():
            step = await self.controller.step()
            if step is not None:
                self.steps.append(step)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), AUTOSCALE.interval_seconds)

    def count(self, state: MachineState) -> int:
        return sum(machine.state is state for machine in self.steps[-1].snapshot.machines) if self.steps else 0

    @property
    def peak(self) -> int:
        return max(step.decision.machines for step in self.steps)


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as opened:
        yield opened


@pytest.fixture
def processes() -> list[WorkerProcess]:
    return []


@pytest.fixture
async def fleet(  # noqa: PLR0917 - fixtures
    settings: Settings,
    redis: Redis,
    observer: Observer,
    guard: Guard,
    processes: list[WorkerProcess],
    tmp_path: Path,
) -> AsyncIterator[Fleet]:
    environ = worker_environ(settings.broker_url, settings.queue)

    def start(machine_id: str, offer: Offer) -> WorkerProcess:
        process = WorkerProcess(machine_id, slots=offer.slots, guard=guard, directory=tmp_path, environ=environ)
        processes.append(process)
        return process

    clock = Clock()
    async with LocalProvider(start, [OFFER]) as provider:
        controller = Controller(
            provider=provider,
            observer=observer,
            redis=redis,
            redis_url=settings.reply_url,
            queue=settings.queue,
            holder="test",
            settings=AUTOSCALE,
            policy=POLICY,
            clock=clock,
        )
        fleet = Fleet(controller, provider, clock)
        task = asyncio.create_task(fleet.run())
        yield fleet
        fleet.stop.set()
        await task


async def test_from_nothing_through_a_preemption_and_back_to_nothing(
    settings: Settings, fleet: Fleet, processes: list[WorkerProcess]
) -> None:
    async with Client(settings) as client:
        calls = [asyncio.create_task(client.run_code("%sleep 0.5")) for _ in range(400)]
        await until(lambda: fleet.count(MachineState.WARM) >= 2, "two machines take work")
        await until(lambda: sum(call.done() for call in calls) > 20, "both work")
        victim = next(m.id for m in fleet.steps[-1].snapshot.machines if m.state is MachineState.WARM)
        fleet.provider.preempt(victim)
        results = await asyncio.gather(*calls)
    assert {result.outcome for result in results} == {Outcome.OK}
    assert fleet.peak > 1
    assert any(step.snapshot.preemptions_per_machine_hour > 0 for step in fleet.steps)

    await until(lambda: all(not machine.in_flight for machine in fleet.steps[-1].snapshot.machines), "all is reported")
    # Ten quiet minutes later nothing is held for arrivals any more, and half a minute after that nothing at all. The
    # first of the two is spent on what came before it.
    for _ in range(2):
        fleet.clock.ahead += 900
        steps = len(fleet.steps)
        await until(lambda steps=steps: len(fleet.steps) > steps + 1, "the controller has looked")  # type: ignore[misc]
    await until(lambda: fleet.steps[-1].decision.wanted == 0, "no machine is wanted")
    fleet.clock.ahead += 60
    await until(lambda: not fleet.steps[-1].snapshot.machines, "all machines have drained and ended")
    await until(lambda: not any(process.running for process in processes), "no process is left")
    assert any(step.decision.drain for step in fleet.steps)


async def test_no_machine_outlives_its_provider(
    settings: Settings, fleet: Fleet, processes: list[WorkerProcess]
) -> None:
    async with Client(settings) as client:
        await asyncio.gather(*(client.run_code("x") for _ in range(3)))
    [process] = [each for each in processes if each.running]
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    await fleet.provider.close()
    await until(lambda: all(is_gone(each) for each in family), "its REPLs have ended too")
    assert not process.running


async def test_who_stands_by_leaves_no_machines_that_nobody_would_end(
    settings: Settings, fleet: Fleet, processes: list[WorkerProcess]
) -> None:
    async with Client(settings) as client:
        await client.run_code("x")
    fleet.stop.set()
    await fleet.provider.stand_by()
    await until(lambda: not any(process.running for process in processes), "no process is left")
    assert await fleet.provider.instances() == []


async def test_a_machine_that_fails_by_itself_is_a_refusal_and_its_log_is_named(
    settings: Settings, guard: Guard, tmp_path: Path
) -> None:
    environ = {**worker_environ(settings.broker_url, settings.queue), "LEANFLEET_WORKER_ISOLATION": "nonsense"}

    machines: list[WorkerProcess] = []

    def start(machine_id: str, offer: Offer) -> WorkerProcess:
        machines.append(WorkerProcess(machine_id, slots=offer.slots, guard=guard, directory=tmp_path, environ=environ))
        return machines[-1]

    async with LocalProvider(start, [OFFER]) as provider:
        await provider.launch(OFFER.name, 1)
        [instance] = await provider.instances()
        await until(lambda: machines[0].failure, "the worker has refused its settings")
        assert await provider.instances() == []
        refused = await provider.refused()
        assert await provider.refused() == {}
    assert set(refused) == {OFFER.name}
    assert f"{instance.id} failed: exit code 2" in refused[OFFER.name]
    assert str(tmp_path / f"{instance.id}.log") in refused[OFFER.name]


async def test_the_simulator_predicts_the_real_run(settings: Settings, fleet: Fleet) -> None:
    operations, seconds = 300, 0.5
    loop = asyncio.get_running_loop()
    async with Client(settings) as client:
        started = loop.time()
        results = await asyncio.gather(*(client.run_code(f"%sleep {seconds}") for _ in range(operations)))
        real_seconds = loop.time() - started
    # On a busy computer what only sleeps takes longer, too.
    seconds = sum(result.timing.lean_seconds for result in results) / operations
    boot_seconds = fleet.steps[-1].snapshot.boot_seconds
    same = Scenario(
        description="the same",
        policy=POLICY,
        operations={"run_code": Operations(seconds=Constant(seconds=seconds))},
        arrivals=(Burst(operations=operations),),
        offers=(OfferedMachines(name="local", slots=OFFER.slots, price_per_hour=1, quota=OFFER.quota),),
        boot=Constant(seconds=boot_seconds),
        assumed_boot_seconds=AUTOSCALE.assumed_boot_seconds,
        decide_every_seconds=AUTOSCALE.interval_seconds,
    )

    def missed(of: Scenario) -> float:
        """By what factor the prediction misses the real run, whichever way."""
        predicted = simulate(of, PolicyRule(POLICY))
        assert predicted.unfinished == 0
        return max(real_seconds / predicted.finished_at_seconds, predicted.finished_at_seconds / real_seconds)

    predicted = simulate(same, PolicyRule(POLICY))
    assert abs(fleet.peak - predicted.peak_machines) <= 1
    # Another fleet, one of a single machine, of machines of a single slot, or with operations that take three times as
    # long, explains the run less well.
    others: dict[str, dict[str, Any]] = {
        "one machine": {"offers": (msgspec.structs.replace(same.offers[0], quota=1),)},
        "one slot": {"offers": (msgspec.structs.replace(same.offers[0], slots=1),)},
        "long operations": {"operations": {"run_code": Operations(seconds=Constant(seconds=3 * seconds))}},
    }
    misses = {name: missed(msgspec.structs.replace(same, **fields)) for name, fields in others.items()}
    assert missed(same) < min(misses.values()), (real_seconds, misses)
