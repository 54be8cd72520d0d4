"""Runs a load on real workers, a real broker and a real store while a schedule of faults is applied, and checks what
came of it.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import psutil
import redis

from producer.batch.batches import Batches
from producer.client import Client
from producer.errors import BrokerUnavailableError, StoreUnavailableError
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.stack.machine import Machine
from tasks.stack.ports import HOST
from tasks.stack.seaweed import Seaweed
from tasks.stack.valkey import Valkey
from tests.chaos import schedule
from tests.chaos.clock import Clock
from tests.chaos.disk import empty_disk, fill_disk
from tests.chaos.load import Question, answer_of, batch_texts, questions
from tests.chaos.proxy import Proxy
from tests.chaos.schedule import Fault
from tests.machines import is_gone, worker_environ
from tests.rabbitmq import RabbitMQ
from tests.waiting import until
from workers.testing import scripted

if TYPE_CHECKING:
    from producer.batch.status import Status

QUEUE = "chaos"

_ERRORS = (b"500 Internal Server Error", b"503 Service Unavailable")
# Slow enough to be felt at every step, and not so slow that a trial ends before anything was done.
_SLOW_BROKER_SECONDS = 0.05
_SLOW_STORE_SECONDS = 0.5
_CLOCK_HOURS = 12.0
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Trial:
    """`deadline_seconds` is how long every answer may take, all faults included: a hang must show."""

    seed: int
    operations: int  # at least
    faults: Sequence[Fault]
    all_faults: bool = False  # ask on until the last one has begun
    machines: int = 2
    window: int = 400
    longest_seconds: float = 6.0
    timeout_seconds: float = 60.0  # an operation's own limit, for which a producer waits before it sends again
    deadline_seconds: float = 120.0
    lease_seconds: float = 2.0
    # So long that no producer makes good what the broker lost. Where it is not persistent, that is all there is.
    resend_seconds: float = 3600.0
    persistent: bool = True
    broker: str = "valkey"  # or rabbitmq, with a Valkey for the replies that no fault touches
    batch: int = 0  # so many proofs in a batch beside the calls; with it, or with faults for it, there is a store

    @property
    def has_store(self) -> bool:
        return self.batch > 0 or any(fault.kind in schedule.STORE_KINDS for fault in self.faults)


@dataclass
class Report:
    """What a trial showed. It passed when `problems` is empty."""

    trial: Trial
    seconds: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)  # by the number of the question
    attempts: Counter[int] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)  # of the batch
    resent: int = 0
    applied: list[Fault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        head = f"seed {self.trial.seed}: {self.answers.total()} operations in {self.seconds:.1f} s"
        attempts = dict(sorted(self.attempts.items()))
        kinds = dict(Counter(fault.kind for fault in self.applied))
        lines = [f"{head}, faults {kinds}, answered at attempt {attempts}, batch {dict(self.outcomes)}"]
        if self.resent:
            lines.append(f"  {self.resent} sent again")
        lines += [f"  PROBLEM {problem}" for problem in self.problems]
        if self.problems:
            lines += ["faults:", *(f"  {fault}" for fault in self.applied)]
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
        self._clocks: dict[str, Clock] = {}
        self._asked_to_end: set[str] = set()
        self._started = 0
        self._asked = 0
        self._begun = 0  # faults that waited for none before them any more
        self._valkey = Valkey(folder / "valkey", persistent=trial.persistent)
        self._rabbitmq = RabbitMQ(folder / "rabbitmq") if trial.broker == "rabbitmq" else None
        self._broker: Valkey | RabbitMQ = self._rabbitmq or self._valkey
        self._store = Seaweed(folder / "seaweed") if trial.has_store else None
        # One for the workers and one for the producer: what is lost on its way is lost on either.
        self._proxies = (Proxy(self._broker.port), Proxy(self._broker.port))
        self._store_proxy = Proxy(self._store.port if self._store is not None else 0)
        # Faults overlap, but not two that would end each other.
        self._busy = {"broker": asyncio.Lock(), "network": asyncio.Lock(), "store": asyncio.Lock()}

    async def run(self) -> Report:
        shutil.copy(scripted.__file__, self._script)
        started = time.monotonic()
        async with self._servers():
            for _ in range(self._trial.machines):
                self._start_machine()
            async with Client(self._settings) as fleet:
                async with self._breaking():
                    await self._ask(fleet)
                # While the client lives: it is the one to take what late twins answer.
                await self._settle("while the client lives")
                self.report.resent = fleet.stats().resent
            await self._settle("when it is closed")
            self._note_ends()
            self._kill_all()
        await self._expect(self._no_orphans, "no REPL outlives its worker")
        self.report.seconds = time.monotonic() - started
        return self.report

    @asynccontextmanager
    async def _servers(self) -> AsyncIterator[None]:
        with self._exits, self._valkey, self._rabbitmq or nullcontext(), self._store or nullcontext():
            self._exits.callback(self._kill_all)
            await asyncio.to_thread(self._write_at_once)
            if self._store is not None:  # clients find their credentials there, and nowhere else
                self._exits.enter_context(patch.dict(os.environ, self._store.environ))
            async with self._proxies[0], self._proxies[1], self._store_proxy:
                yield

    @property
    def _settings(self) -> Settings:
        trial, port = self._trial, self._proxies[1].port
        on_redis = self._rabbitmq is None
        return Settings(
            broker_url=f"redis://{HOST}:{port}/0" if on_redis else f"amqp://guest:guest@{HOST}:{port}//",
            result_url="" if on_redis else self._valkey.url,
            store_url=self._store.store_url if self._store is not None else "",
            store_endpoint_url=f"http://{HOST}:{self._store_proxy.port}" if self._store is not None else "",
            store_timeout_seconds=3.0,
            queue=QUEUE,
            resend_seconds=trial.resend_seconds,
            connect_attempts=50,
        )

    # The load

    async def _ask(self, fleet: Client) -> None:
        trial = self._trial
        source = enumerate(
            questions(trial.seed, longest_seconds=trial.longest_seconds, timeout_seconds=trial.timeout_seconds)
        )

        async def lane() -> None:
            while self._asked < self._trial.operations or (self._trial.all_faults and not self._all_begun):
                self._asked += 1
                await self._ask_one(fleet, *next(source))

        async with asyncio.TaskGroup() as group:
            for _ in range(self._trial.window):
                group.create_task(lane())
            if self._trial.batch:
                group.create_task(self._run_batch())
        if strange := [number for number in range(self._asked) if self.report.answers[number] != 1]:
            self.report.problems.append(f"not answered exactly once: {strange}")

    async def _ask_one(self, fleet: Client, number: int, question: Question) -> None:
        result = await fleet.submit(question.operation, deadline_seconds=self._trial.deadline_seconds)
        self.report.answers[number] += 1
        self.report.attempts[result.attempt] += 1
        if (answer := answer_of(result)) != question.answer:
            self.report.problems.append(f"{question} was answered {answer}: {result.reason}")

    async def _run_batch(self) -> None:
        texts, expected = batch_texts(self._trial.seed, self._trial.batch)
        async with asyncio.timeout(2 * self._trial.deadline_seconds), Batches(self._settings) as batches:
            status: Status | None = None
            while status is None or status.is_running:
                # As a user would: what failed since something was away is begun again, and goes on where it was.
                with contextlib.suppress(StoreUnavailableError, BrokerUnavailableError):
                    batch_id = (await batches.submit(texts)).id
                    async for seen in batches.watch(batch_id, every_seconds=0.5):
                        status = seen
                await asyncio.sleep(0.1)
            results = None
            while results is None:
                with contextlib.suppress(StoreUnavailableError, BrokerUnavailableError):
                    results = await batches.results(batch_id)
        self.report.outcomes = Counter(str(result.outcome) for result in results)
        if self.report.outcomes != expected or status.answered != len(texts) or len(results) != len(texts):
            self.report.problems.append(f"the batch ended as {self.report.outcomes}, not as {expected}: {status}")

    # The faults

    @asynccontextmanager
    async def _breaking(self) -> AsyncIterator[None]:
        """Apply faults until the block is left; each is mended by then."""
        faults: set[asyncio.Task[None]] = set()

        async def apply_all() -> None:
            begun = time.monotonic()
            for fault in self._trial.faults:
                await asyncio.sleep(max(0.0, begun + fault.at_seconds - time.monotonic()))
                faults.add(asyncio.create_task(self._apply(fault)))

        breaking = asyncio.create_task(apply_all())
        try:
            yield
        finally:
            breaking.cancel()
            await asyncio.wait([breaking])
            for task in faults:
                task.cancel()
            if faults:
                await asyncio.wait(faults)
            for task in (breaking, *faults):
                if not task.cancelled() and (error := task.exception()) is not None:
                    self.report.problems.append(f"the driver itself failed: {error!r}")

    @property
    def _all_begun(self) -> bool:
        return self._begun == len(self._trial.faults)

    async def _apply(self, fault: Fault) -> None:
        if fault.kind in schedule.WORKER_KINDS:
            await self._begin(self._apply_to_worker, fault)
        elif fault.kind in schedule.STORE_KINDS:
            async with self._busy["store"]:
                await self._begin(self._apply_to_store, fault)
        elif fault.kind in (schedule.KILL_BROKER, schedule.FREEZE_BROKER, schedule.FILL_BROKER):
            async with self._busy["broker"]:
                await self._begin(self._apply_to_broker, fault)
        else:
            async with self._busy["network"]:
                await self._begin(self._apply_to_network, fault)
        self._note_ends()

    async def _begin(self, apply: Callable[[Fault], Awaitable[None]], fault: Fault) -> None:
        self._begun += 1
        await apply(fault)

    async def _apply_to_worker(self, fault: Fault) -> None:
        alive = [machine for machine in self._machines if machine.running]
        if not alive:
            return
        machine = alive[int(fault.draw * len(alive))]
        self.report.applied.append(fault)
        match fault.kind:
            case schedule.KILL_WORKER:
                machine.kill()
                self._machines.remove(machine)
                self._start_machine()
            case schedule.DRAIN_WORKER:
                machine.ask_to_end()
                self._asked_to_end.add(machine.name)
                self._start_machine()
            case schedule.FREEZE_WORKER:
                machine.signal(signal.SIGSTOP)
                await self._then(fault, partial(machine.signal, signal.SIGCONT))
            case schedule.JUMP_CLOCK:
                clock = self._clocks[machine.name]
                clock.set_wrong((fault.draw - 0.5) * 2 * _CLOCK_HOURS * 3600)
                await self._then(fault, partial(clock.set_wrong, 0.0))
            case schedule.FILL_DISK if (pid := machine.pid) is not None:
                # One that cannot write while it starts ends, as it should.
                await until(lambda: machine.is_ready() or not machine.running, "it takes work")
                fill_disk(pid)
                await self._then(fault, partial(empty_disk, pid))

    async def _apply_to_broker(self, fault: Fault) -> None:
        self.report.applied.append(fault)
        match fault.kind:
            case schedule.KILL_BROKER:
                self._broker.kill()
                await self._then(fault, self._broker.start)
                await asyncio.to_thread(self._broker.wait_ready)
                await asyncio.to_thread(self._write_at_once)
            case schedule.FREEZE_BROKER:
                self._broker.signal(signal.SIGSTOP)
                await self._then(fault, partial(self._broker.signal, signal.SIGCONT))
            case schedule.FILL_BROKER:
                await asyncio.to_thread(self._fill, is_full=True)
                await self._then(fault, partial(self._fill, is_full=False))

    def _write_at_once(self) -> None:
        """Before it answers, Valkey gives the kernel what was written, where a kill does not reach it.

        With `appendfsync everysec` it does so up to two seconds later where the disk is busy.
        """
        with redis.Redis.from_url(self._valkey.url) as client:
            client.config_set("appendfsync", "no")

    def _fill(self, *, is_full: bool) -> None:
        if self._rabbitmq is not None:
            (self._rabbitmq.fill if is_full else self._rabbitmq.make_room)()
            return
        with redis.Redis.from_url(self._valkey.url) as client:
            client.config_set("maxmemory", int(is_full))

    async def _apply_to_network(self, fault: Fault) -> None:
        self.report.applied.append(fault)
        for proxy in self._proxies:
            match fault.kind:
                case schedule.CUT_NETWORK:
                    await proxy.cut()
                case schedule.HALF_OPEN:
                    proxy.forget_links()
                case schedule.SLOW_BROKER:
                    proxy.delay_seconds = _SLOW_BROKER_SECONDS
                case schedule.LOSE_ANSWERS:
                    proxy.loses_answers = True
        await self._until_mended(fault, *self._proxies)

    async def _apply_to_store(self, fault: Fault) -> None:
        self.report.applied.append(fault)
        proxy = self._store_proxy
        match fault.kind:
            case schedule.STORE_ERRORS:
                status = _ERRORS[int(fault.draw * len(_ERRORS))]
                proxy.instead = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
            case schedule.SLOW_STORE:
                proxy.delay_seconds = _SLOW_STORE_SECONDS
            case schedule.STORE_AWAY:
                await proxy.cut()
            case schedule.LOSE_STORE_ANSWERS:
                proxy.loses_answers = True
        await self._until_mended(fault, proxy)

    async def _until_mended(self, fault: Fault, *proxies: Proxy) -> None:
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            for proxy in proxies:
                await proxy.mend()

    async def _then(self, fault: Fault, mend: Callable[[], object]) -> None:
        """Let the fault last, and end it also when the trial ends before."""
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            mend()

    def _note_ends(self) -> None:
        ended = [machine for machine in self._machines if not machine.running]
        self._machines = [machine for machine in self._machines if machine.running]
        for machine in ended:
            # What was asked to end did so in good order, or before it had begun. What ended by itself is a problem.
            if machine.name not in self._asked_to_end or machine.exit_code not in (0, -signal.SIGTERM):
                self.report.problems.append(f"{machine!r} ended by itself:\n{machine.log_tail()}")
                self._start_machine()

    def _start_machine(self) -> None:
        self._started += 1
        name = f"machine{self._started}"
        clock = Clock(self._folder / f"{name}.clock")
        on_redis, port = self._rabbitmq is None, self._proxies[0].port
        options = {
            "RESULT_URL": f"redis://{HOST}:{port}/0" if on_redis else self._valkey.url,
            "WORKER_REPL_COMMAND": f"{sys.executable} -I -S {self._script}",
            "REDELIVERY_LEASE_SECONDS": str(self._trial.lease_seconds),
            "REDELIVERY_GRACE_SECONDS": "1",
            "WORKER_ISOLATION": "off",  # a trial starts dozens of workers, and the scripted REPL needs none
            "REDELIVERY_MAX_WORKER_LOSSES": "1000",  # the faults are ours: nothing here is poison for a worker
        }
        secrets = {}
        if self._store is not None:
            settings = self._settings
            options |= {
                "STORE_URL": settings.store_url,
                "STORE_ENDPOINT_URL": settings.store_endpoint_url,
                "STORE_TIMEOUT_SECONDS": str(settings.store_timeout_seconds),
                "WORKER_BLOB_KEYS": "a secret of this trial",
                "WORKER_CACHE_DIRECTORY": str(self._folder / f"{name}-cache"),
            }
            secrets = self._store.environ
        environ = {
            **worker_environ(f"redis://{HOST}:{port}/0" if on_redis else f"amqp://{HOST}:{port}//", QUEUE, **options),
            **secrets,
            **clock.environ,
        }
        machine = Machine(name, directory=self._folder, environ=environ)
        self._clocks[machine.name] = clock
        self._exits.callback(machine.kill)
        machine.start()
        self._machines.append(machine)

    # What must be true in the end

    async def _settle(self, when: str) -> None:
        keys = QueueKeys.of(QUEUE)
        with redis.Redis.from_url(self._valkey.url) as client:

            def leftovers() -> list[str]:
                if self._rabbitmq is not None and (waiting := self._rabbitmq.messages(QUEUE)):
                    return [f"{waiting} messages in {QUEUE}"]
                names = {keys.queue, keys.leased, keys.leases, keys.losses, keys.interactive, keys.bulk}
                taken = {each.decode() for each in client.zrange(keys.consumers, 0, -1)}
                kept = {each.decode() for pattern in ("reply", "batch") for each in _keys(client, pattern)}
                return sorted(name for name in (*names, *taken, *kept) if client.exists(name))

            # Of one look only: what was published twice may arrive after all was quiet, and is taken and dropped.
            found: list[str] = []

            def is_quiet() -> bool:
                found[:] = leftovers()
                return not found

            await self._expect(is_quiet, f"no message, lease, reply or answer is left {when}")
            if found:
                self.report.problems.append(f"left {when}: {found}")

    def _no_orphans(self) -> bool:
        mine = str(self._script)
        return all(is_gone(process) for process in psutil.process_iter() if mine in _command_line(process))

    async def _expect(self, condition: Callable[[], bool], what: str) -> None:
        try:
            await until(condition, what, deadline_seconds=_SETTLE_SECONDS)
        except AssertionError as error:
            self.report.problems.append(str(error))

    def _kill_all(self) -> None:
        for machine in self._machines:
            machine.kill()


def _keys(client: redis.Redis, kind: str) -> list[bytes]:
    return list(client.scan_iter(f"leanfleet:{kind}:*"))


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def draw_seed() -> int:
    return random.SystemRandom().randrange(1_000_000)
