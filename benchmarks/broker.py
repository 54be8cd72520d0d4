"""What one broker carries: its own CPU and memory for an operation, with a real fleet around it.

Valkey runs commands on one core, so that its CPU seconds per operation say how many operations a second one broker can
pass on, whatever the machines around it do. RabbitMQ, where it is installed, has as many cores as it gets; the replies
go through a Valkey beside it.
"""

import asyncio
import os
import tempfile
from pathlib import Path

import psutil

import leanfleet
from benchmarks._table import print_table
from benchmarks.throughput import ORDINARY, SHORT, numbered
from producer.connection import open_redis
from producer.operation import RunCode
from producer.settings import Settings, load_settings
from tasks.stack.fleet import Fleet, FleetOptions
from tasks.stack.machine import Machine
from tasks.stack.valkey import Valkey
from tests.rabbitmq import RabbitMQ, find_rabbitmq

REPLS = 2
OPERATIONS = 4000
WAITING = 20_000
IN_FLIGHT = 256


class Meter:
    """The server's own account."""

    def __init__(self, url: str) -> None:
        self._redis = open_redis(url)

    async def cpu_seconds(self) -> float:
        info = await self._redis.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    async def memory_bytes(self) -> int:
        return int((await self._redis.info("memory"))["used_memory"])

    async def close(self) -> None:
        await self._redis.aclose()


async def pass_on(fleet: leanfleet.Client, code: str) -> None:
    numbers = iter(range(OPERATIONS))

    async def caller() -> None:
        for number in numbers:
            result = await fleet.submit(RunCode(code=numbered(code, number)))
            assert result.ok, result

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(caller())


async def microseconds(fleet: Fleet, code: str) -> float:
    """Valkey's CPU for an operation: sent, leased, answered, acknowledged; renewals and reports included."""
    meter = Meter(fleet.settings.reply_url)
    try:
        async with leanfleet.connect(settings=fleet.settings) as client:
            before = await meter.cpu_seconds()
            await pass_on(client, code)
            return (await meter.cpu_seconds() - before) / OPERATIONS * 1e6
    finally:
        await meter.close()


async def bytes_waiting(fleet: Fleet, code: str) -> float:
    """Valkey's memory for an operation that nobody has taken yet."""
    meter = Meter(fleet.settings.reply_url)
    try:
        async with leanfleet.connect(settings=fleet.settings) as client:
            before = await meter.memory_bytes()
            calls = [asyncio.ensure_future(client.submit(RunCode(code=numbered(code, n)))) for n in range(WAITING)]
            redis = open_redis(fleet.settings.broker_url)
            async with asyncio.timeout(120):
                while await redis.llen(fleet.settings.queue) < WAITING:  # noqa: ASYNC110 # type: ignore[misc] # redis-py's own types
                    await asyncio.sleep(0.1)
            await redis.aclose()
            used = await meter.memory_bytes() - before
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            return used / WAITING
    finally:
        await meter.close()


def cpu_seconds(pid: int) -> float:
    """Of a process and all below it."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)


async def with_rabbitmq(node: RabbitMQ, settings: Settings) -> tuple[float, float]:
    """RabbitMQ's CPU for an operation, and that of the Valkey for its reply."""
    meter = Meter(settings.reply_url)
    assert node.pid is not None
    try:
        async with leanfleet.connect(settings=settings) as client:
            valkey, rabbit = await meter.cpu_seconds(), cpu_seconds(node.pid)
            await pass_on(client, SHORT)
            rabbit = cpu_seconds(node.pid) - rabbit
            return rabbit / OPERATIONS * 1e6, (await meter.cpu_seconds() - valkey) / OPERATIONS * 1e6
    finally:
        await meter.close()


def rabbitmq_microseconds() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "valkey").mkdir()
        with RabbitMQ(directory / "rabbitmq") as node, Valkey(directory / "valkey") as valkey:
            settings = Settings(broker_url=node.url, result_url=valkey.url, queue="benchmark")
            ours = {name: value for name, value in os.environ.items() if not name.startswith("LEANFLEET_")}
            urls = {
                "LEANFLEET_BROKER_URL": node.url,
                "LEANFLEET_RESULT_URL": valkey.url,
                "LEANFLEET_QUEUE": "benchmark",
            }
            machine = Machine("benchmark", directory=directory, environ=ours | urls, repls=REPLS)
            machine.start()
            try:
                machine.wait_ready()
                return asyncio.run(with_rabbitmq(node, settings))
            finally:
                machine.kill()


def main() -> None:
    with Fleet(load_settings(), FleetOptions(machines=1, repls=REPLS, s3=False, flower=False)) as fleet:
        cpu = asyncio.run(microseconds(fleet, SHORT))
    print_table(
        ["Valkey's CPU an operation", "operations a second of its core"], [[f"{cpu:.0f} µs", f"{1e6 / cpu:,.0f}"]]
    )
    rows = []
    for code in (SHORT, ORDINARY):
        with Fleet(load_settings(), FleetOptions(machines=0, s3=False, flower=False)) as fleet:
            rows.append([f"{len(code.encode()):,}", f"{asyncio.run(bytes_waiting(fleet, code)):,.0f}"])
    print_table(["bytes of code", "bytes of Valkey's memory while it waits"], rows)
    if find_rabbitmq():
        rabbit, valkey = rabbitmq_microseconds()
        print_table(
            ["RabbitMQ's CPU an operation", "operations a second and core", "Valkey's beside it, for the reply"],
            [[f"{rabbit:.0f} µs", f"{1e6 / rabbit:,.0f}", f"{valkey:.0f} µs"]],
        )
