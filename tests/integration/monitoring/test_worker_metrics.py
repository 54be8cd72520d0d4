"""What Prometheus sees of a real worker."""

import asyncio
import datetime as dt
import re

import redis
from redis.asyncio import Redis

from producer.client import Client
from producer.keys import REVOKED
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.settings import Settings
from tasks.stack.machine import Machine
from tasks.stack.valkey import Valkey
from tests.integration.monitoring.conftest import StartMachine
from tests.metadata import SPOT_ACTION, metadata_service
from tests.metrics import Scrape, scrape
from tests.waiting import DEADLINE_SECONDS, until, wait_until
from workers.telemetry import read_reports, workers_key

W = "leanfleet_worker_"


async def look(port: int) -> Scrape:
    return await asyncio.to_thread(scrape, f"http://127.0.0.1:{port}/metrics")


async def test_everything_that_happened_is_counted(start_machine: StartMachine, fleet: Client, port: int) -> None:
    await asyncio.to_thread(start_machine)
    before = await look(port)
    hole = (await fleet.run_code("theorem t : True := sorry")).sorries[0].state
    assert hole is not None
    await fleet.run_tactics(hole, ["trivial", "nonsense"])
    for number in range(4):
        await fleet.run_code(f"%say {number}")
    assert (await fleet.run_code("%hang", timeout_seconds=0.3)).outcome is Outcome.TIMEOUT
    now = await look(port)

    def counted(name: str, **labels: str) -> float:
        return now.value(W + name, **labels) - before.value(W + name, **labels)

    assert counted("operations_total", kind="run_code", outcome="ok") == 5
    assert counted("operations_total", kind="run_tactics", outcome="ok") == 1
    assert counted("operations_total", kind="run_code", outcome="timeout") == 1
    assert counted("operations_total") == 7
    assert counted("lean_seconds_count", kind="run_code") == 6
    assert counted("lean_seconds_bucket", kind="run_code", le="0.1") <= 5  # not the one that hung
    assert counted("lean_seconds_bucket", kind="run_code", le="+Inf") == 6
    assert 0.3 <= counted("lean_seconds_sum", kind="run_code") < 30
    assert counted("queue_seconds_count") == counted("repl_wait_seconds_count") == 7
    assert counted("restores_total", kind="run_tactics") == 1
    assert counted("restore_seconds_count", way="warm") >= 6
    assert counted("leases_total") >= 7
    assert counted("lease_hits_total", found="warm") >= 1
    assert counted("lease_hits_total", found="state") >= 1
    assert counted("repl_ends_total", reason="timeout") == 1
    assert counted("busy_seconds_total", kind="run_code") >= 0.3
    assert counted("redeliveries_total") == counted("dead_letters_total") == 0


async def test_what_leaves_the_queue_unrun_is_counted(
    start_machine: StartMachine, fleet: Client, server: Redis, port: int
) -> None:
    calls = [fleet.submit(RunCode(code=f"%say {number}")) for number in range(20)]
    await until(lambda: all(call.sequence for call in calls), "all are in the queue")
    for call in calls[:-1]:
        call.cancel()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await server.zscore(REVOKED, calls[-2].id) is None:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)
    await asyncio.to_thread(start_machine)
    assert (await calls[-1]).ok
    now = await look(port)
    assert (now.value(W + "dropped_operations_total"), now.value(W + "revocations_total")) == (19, 0)


async def test_what_is_so_now_is_measured_at_the_scrape(
    start_machine: StartMachine, fleet: Client, port: int, settings: Settings
) -> None:
    await asyncio.to_thread(start_machine)
    running = asyncio.ensure_future(fleet.run_code("%allocate 60000000\n%sleep 60"))
    url = f"http://127.0.0.1:{port}/metrics"
    await until(lambda: scrape(url).value(W + "largest_repl_memory_bytes") > 60_000_000, "it holds that memory")
    now = await look(port)
    assert now.value(W + "repls", status="busy") == now.value(W + "running_operations", kind="run_code") == 1
    assert now.value(W + "slots") == 2
    assert now.value(W + "repl_memory_bytes") >= now.value(W + "largest_repl_memory_bytes")
    assert now.value("process_resident_memory_bytes") > 10_000_000
    assert now.value(W + "responsive") == 1
    assert now.value(W + "state", state="warm") == now.value(W + "state") == 1
    (info,) = now.find(W + "info")
    assert info.labels["queue"] == settings.queue
    assert info.labels["worker"].startswith("machine0@")
    guards = {sample.labels["guard"]: sample.value for sample in now.find(W + "isolation_guard")}
    assert guards["environment"] == 1
    running.cancel()
    await asyncio.wait([running])


async def test_isolation_that_is_off_is_seen(start_machine: StartMachine, port: int) -> None:
    await asyncio.to_thread(start_machine, WORKER_ISOLATION="off")
    (guard,) = (await look(port)).find(W + "isolation_guard", guard="network")
    assert guard.value == 0


async def test_a_delivery_of_a_worker_that_vanished_is_a_redelivery_on_another(
    start_machine: StartMachine, fleet: Client
) -> None:
    machines = {served_at(machine): machine for machine in [await asyncio.to_thread(start_machine) for _ in range(2)]}
    call = asyncio.ensure_future(fleet.run_code("%sleep 5"))

    def busy() -> list[str]:
        return [url for url in machines if scrape(url).value(W + "running_operations")]

    await until(busy, "one runs it")
    (url,) = busy()
    machines.pop(url).kill()
    assert (await call).attempt == 2
    (survivor,) = machines
    assert (await asyncio.to_thread(scrape, survivor)).value(W + "redeliveries_total") == 1


def served_at(machine: Machine) -> str:
    found = re.search(r"metrics at (\S+)", machine.log())
    assert found is not None
    return found[1]


async def test_workers_of_one_machine_take_ports_side_by_side_and_report_them(
    start_machine: StartMachine, settings: Settings, server: Redis, valkey: Valkey
) -> None:
    first = await asyncio.to_thread(start_machine)
    second = await asyncio.to_thread(start_machine)
    with redis.Redis.from_url(valkey.url) as client:
        await until(lambda: client.scard(workers_key(settings.queue)) == 2, "both report")
    reports = await read_reports(server, settings.queue)
    urls = [report.metrics_url for report in reports]
    assert len(set(urls)) == 2
    for report, machine in zip(reports, (first, second), strict=True):
        assert f"metrics at {report.metrics_url}" in machine.log()
        (info,) = (await asyncio.to_thread(scrape, report.metrics_url)).find(W + "info")
        assert info.labels["worker"] == report.worker


async def test_a_machine_that_is_being_taken_says_so_while_it_drains(
    start_machine: StartMachine, fleet: Client
) -> None:
    with metadata_service() as metadata:
        url = served_at(
            await asyncio.to_thread(start_machine, MACHINE_PROVIDER="aws", MACHINE_METADATA_URL=metadata.url)
        )
        assert scrape(url).value(W + "preempted") == 0
        call = asyncio.ensure_future(fleet.run_code("%sleep 600", timeout_seconds=1000))
        await until(lambda: scrape(url).value(W + "running_operations"), "it works")
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=300)
        metadata.pages[SPOT_ACTION] = f'{{"action": "terminate", "time": "{soon:%Y-%m-%dT%H:%M:%SZ}"}}'
        await until(lambda: scrape(url).value(W + "preempted") == 1, "it heard of it")
        await until(lambda: scrape(url).value(W + "state", state="draining") == 1, "it takes no more")
        call.cancel()
        await asyncio.wait([call])


def test_an_address_that_cannot_be_had_is_logged_and_the_worker_works(start_machine: StartMachine) -> None:
    machine = start_machine(WORKER_METRICS_ADDRESS="192.0.2.1")
    assert "metrics are not served: 192.0.2.1:" in machine.log()


def test_metrics_are_gone_with_their_worker(start_machine: StartMachine, port: int) -> None:
    machine = start_machine()
    machine.stop(grace_seconds=30)
    wait_until(lambda: machine.exit_code is not None, "it ended")
    assert "Traceback" not in machine.log()
    again = start_machine()
    assert f"127.0.0.1:{port}/metrics" in again.log()


def test_port_zero_serves_nothing(start_machine: StartMachine) -> None:
    machine = start_machine(WORKER_METRICS_PORT="0")
    assert "metrics" not in machine.log()
