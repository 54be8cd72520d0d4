"""What calls cost the producer: 1 k, 10 k and 100 k in flight from one event loop, beside Celery's own API in threads.

No Lean runs. A process stands for the fleet: it takes messages from the real broker and answers each at once where its
caller looks for it, so that what is measured is the producer. First it holds back, until all calls are in flight. Every
row is a process of its own, so that none profits from the memory of another.
"""

import asyncio
import concurrent.futures
import gc
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import psutil
import redis

from benchmarks._table import print_table
from producer.keys import reply_key
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply
from producer.result import RunCodeResult, Timing
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.redelivery.scripts import CHOOSE
from tasks.stack.valkey import Valkey

IN_FLIGHT = (1_000, 10_000, 100_000)
CELERY_OPERATIONS = 5_000
CELERY_THREADS = 64
QUEUE = "leanfleet"
HOLD = "hold"  # while this key exists, the fleet answers nothing
BATCH = 256

# What so many tickets stand for.
_CHOSEN = f"""
{CHOOSE}
local found = {{}}
for place = 1, tonumber(ARGV[1]) do
  local _, message = choose(KEYS[1], KEYS[2], KEYS[3])
  found[place] = message
end
return found
"""


class Row(NamedTuple):
    way: str
    operations: int
    enqueue_per_second: float
    complete_per_second: float
    cpu_microseconds: float  # of the producer, for one operation from beginning to end
    bytes_each: float


def code(number: int) -> str:
    return f"theorem t{number} (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨hp, hq⟩"


def stand_in(url: str) -> None:
    """The fleet: answers until it is ended."""
    server = redis.Redis.from_url(url)
    keys = QueueKeys.of(QUEUE)
    result = RunCodeResult(outcome=Outcome.OK, timing=Timing(lean_seconds=0.002), project="p", worker="w")
    while True:
        if server.exists(HOLD):
            time.sleep(0.005)
            continue
        found = server.blmpop(1.0, 1, QUEUE, direction="RIGHT", count=BATCH)
        if found is None:
            continue
        entries = cast("list[bytes]", found[1])
        messages = [entry for entry in entries if entry]
        if tickets := len(entries) - len(messages):
            messages += cast("list[bytes]", server.eval(_CHOSEN, 3, keys.interactive, keys.bulk, keys.turns, tickets))
        with server.pipeline(transaction=False) as pipe:
            for message in messages:
                headers = json.loads(message)["headers"]
                if "leanfleet" in headers:
                    reply = encode_reply(Reply(call_id=headers["id"], result=result))
                    pipe.rpush(reply_key(headers["leanfleet"]["reply_to"]), reply)
                else:
                    key = f"celery-task-meta-{headers['id']}"
                    value = {"status": "SUCCESS", "result": {"outcome": "ok"}, "task_id": headers["id"], "children": []}
                    pipe.setex(key, 600, json.dumps(value))
                    pipe.publish(key, json.dumps(value))
            pipe.execute()


def client_row(url: str, operations: int) -> Row:
    return asyncio.run(_client_row(url, operations))


async def _client_row(url: str, operations: int) -> Row:
    from producer.client import Client  # noqa: PLC0415 - what it imports is not to count as what calls cost
    from producer.operation import RunCode  # noqa: PLC0415 - as above

    server = redis.Redis.from_url(url)
    process = psutil.Process()
    async with Client(Settings(broker_url=url, queue=QUEUE)) as fleet:
        await fleet.map([RunCode(code=code(-1 - number)) for number in range(500)])  # warms up
        server.set(HOLD, "1")
        await asyncio.sleep(1.5)  # the stand-in looks once a second
        gc.collect()
        before, cpu, started = process.memory_info().rss, time.process_time(), time.perf_counter()
        calls = [fleet.submit(RunCode(code=code(number))) for number in range(operations)]
        while server.llen(QUEUE) < operations:  # noqa: ASYNC110 - it is the broker that is waited for
            await asyncio.sleep(0.002)
        enqueued = time.perf_counter()
        grown = process.memory_info().rss - before
        server.delete(HOLD)
        for call in calls:
            result = await call
            assert result.ok
        ended, cpu = time.perf_counter(), time.process_time() - cpu
    server.close()
    return Row(
        "fleet.submit",
        operations,
        operations / (enqueued - started),
        operations / (ended - enqueued),
        cpu / operations * 1e6,
        grown / operations,
    )


def celery_row(url: str, operations: int) -> Row:
    os.environ["LEANFLEET_BROKER_URL"] = url
    import tasks  # noqa: PLC0415 - it reads where the broker is when it is first used

    def one(number: int) -> None:
        assert tasks.run_code.apply_async((code(number),)).get(timeout=60)["outcome"] == "ok"

    process = psutil.Process()
    with concurrent.futures.ThreadPoolExecutor(CELERY_THREADS) as pool:
        list(pool.map(one, range(-200, 0)))
        gc.collect()
        before, cpu, started = process.memory_info().rss, time.process_time(), time.perf_counter()
        list(pool.map(one, range(operations)))
        ended, cpu = time.perf_counter(), time.process_time() - cpu
        grown = process.memory_info().rss - before
    rate = operations / (ended - started)
    return Row(f"apply_async + get, {CELERY_THREADS} threads", operations, rate, rate, cpu / operations * 1e6, grown)


@contextmanager
def fleet(url: str) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=stand_in, args=(url,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def main() -> None:
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder), persistent=False) as valkey, fleet(valkey.url):
        rows = []
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
            rows = [pool.submit(client_row, valkey.url, operations).result() for operations in IN_FLIGHT]
            rows.append(pool.submit(celery_row, valkey.url, CELERY_OPERATIONS).result())
    first = rows[0]
    print_table(
        [
            "way",
            "operations",
            "enqueued per s",
            "completed per s",
            "CPU µs each",
            "of that at 1 k",
            "bytes each in flight",
        ],
        [
            [
                row.way,
                f"{row.operations:,}",
                f"{row.enqueue_per_second:,.0f}",
                f"{row.complete_per_second:,.0f}",
                f"{row.cpu_microseconds:.0f}",
                f"{row.cpu_microseconds / first.cpu_microseconds:.2f}",
                f"{row.bytes_each:,.0f}" if row.way == first.way else "-",
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
