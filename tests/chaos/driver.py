"""Runs a load on real workers and a real broker while a schedule of faults is applied, and checks what came of it."""

import asyncio
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import redis

from producer.client import Client
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.stack.machine import Machine
from tasks.stack.ports import HOST
from tasks.stack.valkey import Valkey
from tests.chaos import schedule
from tests.chaos.load import Question, answer_of, questions
from tests.chaos.proxy import Proxy
from tests.chaos.schedule import Fault
from tests.machines import is_gone, worker_environ
from tests.rabbitmq import RabbitMQ
from tests.waiting import until
from workers.testing import scripted

QUEUE = "chaos"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """`deadline_seconds` is how long every answer may take, all faults included: a hang must show."""

    seed: int
    operations: int
    faults: Sequence[Fault]
    machines: int = 2
    window: int = 400
    longest_seconds: float = 6.0
    deadline_seconds: float = 120.0
    lease_seconds: float = 2.0
    resend_seconds: float = 3600.0  # so long that no producer makes good what the broker lost
    broker: str = "valkey"  # or rabbitmq, with a Valkey for the replies that no fault touches


@dataclass
class Report:
    """What a trial showed. It passed when `problems` is empty."""

    trial: Trial
    seconds: float = 0.0
    attempts: Counter[int] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        head = f"seed {self.trial.seed}: {self.trial.operations} operations in {self.seconds:.1f} s"
        attempts = dict(sorted(self.attempts.items()))
        lines = [f"{head}, faults {dict(self.applied)}, answered at attempt {attempts}"]
        lines += [f"  PROBLEM {problem}" for problem in self.problems]
        if self.problems:
            applied = self.trial.faults[: self.applied.total()]
            lines += ["faults:", *(f"  {fault}" for fault in applied)]
        return "\n".join(lines)


class Chaos:
    """One trial's fleet, and the hand that breaks it."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        self.report = Report(trial)
        self._trial = trial
        self._folder = folder
        self._script = folder / "repl.py"  # by whose path orphans are found
        self._exits = ExitStack()
        self._machines: list[Machine] = []
        self._started = 0
        self._valkey = Valkey(folder / "valkey")
        self._rabbitmq = RabbitMQ(folder / "rabbitmq") if trial.broker == "rabbitmq" else None
        self._broker: Valkey | RabbitMQ = self._rabbitmq or self._valkey
        self._proxy = Proxy(self._broker.port)

    async def run(self) -> Report:
        shutil.copy(scripted.__file__, self._script)
        started = time.monotonic()
        with self._exits:
            self._exits.callback(self._kill_all)
            with self._valkey, self._rabbitmq or nullcontext():
                async with self._proxy:
                    for _ in range(self._trial.machines):
                        self._start_machine()
                    breaking = asyncio.create_task(self._break_things())
                    try:
                        await self._ask()
                    finally:
                        breaking.cancel()
                        await asyncio.wait([breaking])
                    await self._settle()
                    if breaking.done() and not breaking.cancelled() and (error := breaking.exception()) is not None:
                        self.report.problems.append(f"the driver itself failed: {error!r}")
                self._kill_all()
        await self._expect(self._no_orphans, "no REPL outlives its worker")
        self.report.seconds = time.monotonic() - started
        return self.report

    # The load

    async def _ask(self) -> None:
        trial = self._trial
        settings = Settings(
            broker_url=self._broker.url,
            result_url=self._valkey.url,
            queue=QUEUE,
            resend_seconds=trial.resend_seconds,
            connect_attempts=50,
        )
        source = questions(trial.seed, trial.operations, longest_seconds=trial.longest_seconds)
        async with Client(settings) as fleet:

            async def lane() -> None:
                for question in source:  # shared: each lane takes the next one
                    await self._ask_one(fleet, question)

            await asyncio.gather(*(lane() for _ in range(trial.window)))

    async def _ask_one(self, fleet: Client, question: Question) -> None:
        result = await fleet.submit(question.operation, deadline_seconds=self._trial.deadline_seconds)
        self.report.attempts[result.attempt] += 1
        if (answer := answer_of(result)) != question.answer:
            self.report.problems.append(f"{question} was answered {answer}: {result.reason}")

    # The faults

    async def _break_things(self) -> None:
        begun = time.monotonic()
        for fault in self._trial.faults:
            await asyncio.sleep(max(0.0, begun + fault.at_seconds - time.monotonic()))
            self.report.applied[fault.kind] += 1
            await self._apply(fault)

    async def _apply(self, fault: Fault) -> None:
        alive = [machine for machine in self._machines if machine.running]
        machine = alive[int(fault.draw * len(alive))] if alive else None
        match fault.kind:
            case schedule.KILL_WORKER if machine is not None:
                machine.kill()
                self._start_machine()
            case schedule.DRAIN_WORKER if machine is not None:
                machine.ask_to_end()
                self._start_machine()
            case schedule.FREEZE_WORKER if machine is not None:
                machine.signal(signal.SIGSTOP)
                await self._then(fault, partial(machine.signal, signal.SIGCONT))
            case schedule.KILL_BROKER:
                self._broker.kill()
                await self._then(fault, self._broker.start)
                await asyncio.to_thread(self._broker.wait_ready)
            case schedule.FREEZE_BROKER:
                self._broker.signal(signal.SIGSTOP)
                await self._then(fault, partial(self._broker.signal, signal.SIGCONT))
            case schedule.CUT_NETWORK:
                await self._proxy.cut()
                try:
                    await asyncio.sleep(fault.seconds)
                finally:
                    await self._proxy.mend()
        for machine in self._machines:
            # What a drain ended in good order needs no successor twice; what ended by itself is a problem.
            if not machine.running and machine.exit_code not in (0, -signal.SIGKILL):
                self.report.problems.append(f"{machine!r} ended by itself:\n{machine.log_tail()}")
        self._machines = [machine for machine in self._machines if machine.running]

    async def _then(self, fault: Fault, mend: Callable[[], object]) -> None:
        """Let the fault last, and end it also when the trial ends before."""
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            mend()

    def _start_machine(self) -> None:
        self._started += 1
        scheme = "redis" if self._rabbitmq is None else "amqp"
        environ = worker_environ(
            f"{scheme}://{HOST}:{self._proxy.port}/{'0' if self._rabbitmq is None else '/'}",
            QUEUE,
            RESULT_URL=f"redis://{HOST}:{self._proxy.port}/0" if self._rabbitmq is None else self._valkey.url,
            WORKER_REPL_COMMAND=f"{sys.executable} -I -S {self._script}",
            REDELIVERY_LEASE_SECONDS=str(self._trial.lease_seconds),
            REDELIVERY_GRACE_SECONDS="1",
            WORKER_ISOLATION="off",  # a trial starts dozens of workers, and the scripted REPL needs none
            REDELIVERY_MAX_WORKER_LOSSES="1000",  # the faults are ours: nothing here is poison for a worker
        )
        machine = Machine(f"machine{self._started}", directory=self._folder, environ=environ)
        self._exits.callback(machine.kill)
        machine.start()
        self._machines.append(machine)

    # What must be true in the end

    async def _settle(self) -> None:
        keys = QueueKeys.of(QUEUE)
        with redis.Redis.from_url(self._valkey.url) as client:

            def leftovers() -> list[str | bytes]:
                if self._rabbitmq is not None and (waiting := self._rabbitmq.messages(QUEUE)):
                    return [f"{waiting} messages in {QUEUE}"]
                names = {keys.queue, keys.leased, keys.leases, keys.losses}
                taken = {each.decode() for each in client.zrange(keys.consumers, 0, -1)}
                replies = set(client.scan_iter("leanfleet:reply:*"))
                return [name for name in (*names, *taken, *replies) if client.exists(name)]

            await self._expect(lambda: not leftovers(), "no message, lease or reply is left")
            if found := leftovers():
                self.report.problems.append(f"left: {found}")

    def _no_orphans(self) -> bool:
        mine = str(self._script)
        return all(is_gone(process) for process in psutil.process_iter() if mine in _command_line(process))

    async def _expect(self, condition: Callable[[], bool], what: str) -> None:
        try:
            await until(condition, what)
        except AssertionError as error:
            self.report.problems.append(str(error))

    def _kill_all(self) -> None:
        for machine in self._machines:
            machine.kill()


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def draw_seed() -> int:
    return random.SystemRandom().randrange(1_000_000)
