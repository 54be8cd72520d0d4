"""What the queue costs: two REPLs driven directly, through the warm pool, and through the whole fleet, in one run.

The floor writes requests to two processes and reads replies, with nothing around it; every other row is a ratio to it.
Rounds alternate between the ways, so that a noisy neighbour meets all of them alike.
"""

import asyncio
import functools
import os
import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec
import psutil

import leanfleet
from benchmarks._table import print_table
from producer.operation import RunCode, RunTactics
from producer.result import RunCodeResult, RunTacticsResult
from producer.settings import load_settings
from tasks.stack.fleet import Fleet, FleetOptions
from workers.pool import AsyncLeanREPLPool, Handle
from workers.project import embedded_project
from workers.protocol.requests import Command, Tactic
from workers.protocol.responses import CommandResponse
from workers.settings import PoolSettings

REPLS = 2
ROUNDS = 5
TACTICS_PER_OPERATION = 8
IN_FLIGHT = 64

SHORT = """theorem short (p q r : Prop) (h : p ∧ (q ∨ r)) : (p ∧ q) ∨ (p ∧ r) := by
  obtain ⟨hp, hq | hr⟩ := h
  · exact Or.inl ⟨hp, hq⟩
  · exact Or.inr ⟨hp, hr⟩"""
ORDINARY = "\n".join(
    f"theorem ordinary{n} (n : Nat) : 0 + n = n := by\n"
    "  induction n with\n  | zero => rfl\n  | succ n ih => exact congrArg Nat.succ ih"
    for n in range(20)
)
HOLE = "theorem hole (p q r : Prop) (h : p ∧ q ∧ r) : r ∧ q ∧ p := by sorry"
# About as long as the short command, so that the two rows of k = 1 and k = 8 compare the same work.
TACTIC = (
    "(obtain ⟨hp, hq, hr⟩ := h; have a : r ∧ p := (by simp [hr, hp]); have b : q ∧ p := (by simp [hq, hp]); "
    "constructor; simp [a]; constructor <;> simp [b])"
)


Answer = dict[str, object]


@dataclass(kw_only=True)
class Row:
    """Samples of one way over one kind of work."""

    rates: list[float] = field(default_factory=list)  # commands a second, a sample a round
    round_trips_seconds: list[float] = field(default_factory=list)  # of one blocking caller, nothing else running
    producer_seconds: float = 0.0  # CPU of this process
    worker_seconds: float = 0.0  # CPU of the worker processes without their REPLs
    commands: int = 0


class DirectREPL:
    """A REPL with nothing around it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, command: tuple[str, ...]) -> "DirectREPL":
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26
        )
        return cls(process)

    async def ask(self, request: Answer) -> Answer:
        self._stdin.write(msgspec.json.encode(request) + b"\n\n")
        return msgspec.json.decode(await self._stdout.readuntil(b"\n\n"), type=dict[str, object])

    async def close(self) -> None:
        self._stdin.close()
        await self.process.wait()


def numbered(code: str, number: int) -> str:
    """The same work under another text, so that no answer comes from memory."""
    return f"/- {os.getpid()}.{number} -/\n{code}"


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def workers_cpu_seconds(pids: Iterable[int]) -> float:
    """CPU of the workers' own processes; the REPLs are processes of their own and do not count."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


async def shared(commands: int, callers: int, one: Callable[[int], Awaitable[None]]) -> float:
    """Run `one(n)` for each n below `commands` by that many callers, and return commands a second."""
    numbers = iter(range(commands))

    async def caller() -> None:
        for number in numbers:
            await one(number)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return commands / (time.perf_counter() - started)


class Direct:
    """(a) The floor."""

    def __init__(self, repls: list[DirectREPL], tactic_state: list[int]) -> None:
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for index in range(len(repls)):
            self._free.put_nowait(index)
        self._repls, self._states = repls, tactic_state

    async def command(self, code: str) -> None:
        index = await self._free.get()
        answer = await self._repls[index].ask({"cmd": code, "env": 0})
        assert "env" in answer, answer
        assert not answer.get("messages"), answer
        self._free.put_nowait(index)

    async def tactic(self, tactic: str) -> None:
        index = await self._free.get()
        answer = await self._repls[index].ask({"tactic": tactic, "proofState": self._states[index]})
        assert answer.get("proofStatus") == "Completed", answer
        self._free.put_nowait(index)


async def open_direct(stack: AsyncExitStack, command: tuple[str, ...]) -> Direct:
    repls, states = [], []
    for _ in range(REPLS):
        repl = await DirectREPL.start(command)
        stack.push_async_callback(repl.close)
        await repl.ask({"cmd": ""})
        answer = msgspec.convert(await repl.ask({"cmd": HOLE, "env": 0}), dict[str, list[dict[str, object]] | int])
        sorries = answer["sorries"]
        assert isinstance(sorries, list)
        state = sorries[0]["proofState"]
        assert isinstance(state, int)
        repls.append(repl)
        states.append(state)
    return Direct(repls, states)


async def fleet_code(fleet: leanfleet.Client, code: str) -> RunCodeResult:
    result = await fleet.submit(RunCode(code=code))
    assert result.ok, result
    assert not result.cached, result
    return result


async def fleet_tactics(fleet: leanfleet.Client, state: leanfleet.StateRef, tactics: tuple[str, ...]) -> None:
    result: RunTacticsResult = await fleet.submit(RunTactics(state=state, tactics=tactics))
    assert all(tactic.is_complete for tactic in result.tactics), result
    assert not result.cached, result


class Run:
    """All ways over all kinds of work, a round at a time."""

    def __init__(
        self, direct: Direct, pool: AsyncLeanREPLPool, fleet: leanfleet.Client, worker_pids: list[int]
    ) -> None:
        self._direct, self._pool, self._fleet, self._worker_pids = direct, pool, fleet, worker_pids
        self._count = 0
        self.rows: dict[tuple[str, str], Row] = {}
        self._hole: leanfleet.StateRef | None = None

    def _next(self) -> int:
        self._count += 1
        return self._count

    async def _pool_command(self, code: str) -> None:
        async with self._pool.lease("") as repl:
            await repl.send(Command(code=code, environment=repl.environment), timeout_seconds=60)

    async def _pool_tactic(self, tactic: str) -> None:
        async with self._pool.lease("", prefer=("hole",)) as repl:
            handle = repl.states.get("hole")
            if handle is None:
                answer = await repl.send(Command(code=HOLE, environment=repl.environment), timeout_seconds=60)
                assert isinstance(answer, CommandResponse), answer
                number = answer.sorries[0].proof_state
                assert number is not None
                handle = repl.states["hole"] = Handle(kind="proof_state", number=number)
            await repl.send(Tactic(tactic=tactic, proof_state=handle.number), timeout_seconds=60)

    async def measure(
        self, way: str, work: str, commands: int, callers: int, one: Callable[[], Awaitable[None]]
    ) -> None:
        """`commands` calls of `one`, then a few of a single caller for the round trip."""
        row = self.rows.setdefault((way, work), Row())
        per_call = TACTICS_PER_OPERATION if way.endswith("k=8") else 1
        producer, worker = cpu_seconds(), workers_cpu_seconds(self._worker_pids)
        rate = await shared(commands // per_call, callers, lambda _: one())
        row.rates.append(rate * per_call)
        row.producer_seconds += cpu_seconds() - producer
        row.worker_seconds += workers_cpu_seconds(self._worker_pids) - worker
        row.commands += commands
        for _ in range(40):
            started = time.perf_counter()
            await one()
            row.round_trips_seconds.append(time.perf_counter() - started)

    async def round(self) -> None:
        if self._hole is None:
            result = await fleet_code(self._fleet, HOLE)
            self._hole = result.sorries[0].state
        hole = self._hole
        assert hole is not None
        await self._commands("short", SHORT, 600)
        await self._commands("ordinary", ORDINARY, 40)
        await self.measure(
            "(a) floor", "tactic", 600, REPLS, lambda: self._direct.tactic(numbered(TACTIC, self._next()))
        )
        await self.measure(
            "(b) pool", "tactic", 600, REPLS * 2, lambda: self._pool_tactic(numbered(TACTIC, self._next()))
        )
        for k, way in ((1, "(c) fleet"), (TACTICS_PER_OPERATION, "(c) fleet k=8")):
            await self.measure(way, "tactic", 600, IN_FLIGHT // k, functools.partial(self._fleet_tactics, hole, k))

    async def _commands(self, work: str, code: str, commands: int) -> None:
        async def floor() -> None:
            await self._direct.command(numbered(code, self._next()))

        async def pool() -> None:
            await self._pool_command(numbered(code, self._next()))

        async def fleet() -> None:
            await fleet_code(self._fleet, numbered(code, self._next()))

        await self.measure("(a) floor", work, commands, REPLS, floor)
        await self.measure("(b) pool", work, commands, REPLS * 2, pool)
        await self.measure("(c) fleet", work, commands, IN_FLIGHT, fleet)

    async def _fleet_tactics(self, hole: leanfleet.StateRef, k: int) -> None:
        await fleet_tactics(self._fleet, hole, tuple(numbered(TACTIC, self._next()) for _ in range(k)))


async def _run() -> dict[tuple[str, str], Row]:
    project = embedded_project()
    options = FleetOptions(machines=1, repls=REPLS, s3=False, flower=False)
    async with AsyncExitStack() as stack:
        fleet = await asyncio.to_thread(Fleet(load_settings(), options).__enter__)
        stack.callback(fleet.__exit__)
        client = await stack.enter_async_context(leanfleet.connect(settings=fleet.settings))
        direct = await open_direct(stack, project.command)
        pool = await stack.enter_async_context(AsyncLeanREPLPool(project, PoolSettings(size=REPLS)))
        await pool.ready()
        run = Run(direct, pool, client, [machine.pid for machine in fleet.machines if machine.pid])
        await run.round()  # warms every way up
        run.rows.clear()
        for _ in range(ROUNDS):
            await run.round()
        return run.rows


def main() -> None:
    rows = asyncio.run(_run())
    table = []
    for (way, work), row in rows.items():
        floor = rows["(a) floor", work]
        ratios = [rate / reference for rate, reference in zip(row.rates, floor.rates, strict=True)]
        trips = statistics.quantiles(row.round_trips_seconds, n=100)
        table.append(
            [
                work,
                way,
                f"{statistics.median(row.rates):.0f}",
                f"{statistics.median(ratios):.0%} [{min(ratios):.0%}-{max(ratios):.0%}]",
                f"{trips[49] * 1e3:.1f}/{trips[98] * 1e3:.1f}",
                f"{row.producer_seconds / row.commands * 1e3:.2f}",
                f"{row.worker_seconds / row.commands * 1e3:.2f}",
            ]
        )
    table.sort(key=lambda line: (line[0] != "short", line[0] != "ordinary", line[1]))
    print_table(
        ["work", "way", "per s", "of the floor", "round trip p50/p99 ms", "producer CPU ms", "worker CPU ms"], table
    )
