"""How soon a lost worker's operations are delivered again, and what the leases cost while nothing is lost."""

import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil
import redis

from benchmarks._noop import QUEUE as NOOP_QUEUE
from benchmarks._table import print_table
from producer.envelope import CallHeader, TaskMessage, redis_envelope, task_message
from producer.operation import RunCode
from tasks.redelivery.keys import QueueKeys
from tasks.stack.machine import Machine
from tasks.stack.process import LocalProcess
from tasks.stack.valkey import Valkey
from tests.chaos.killing import kill_consumers
from tests.machines import worker_environ

KILLS = 20
LEASE_SECONDS = 5.0
GRACE_SECONDS = 1.0
HELD = 4
TASKS = 4_000
ROUNDS = 3
AIMED_KILLS = 40

_POLL_SECONDS = 0.002


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Valkey(Path(folder) / "valkey") as valkey:
        with redis.Redis.from_url(valkey.url) as client:
            killed = [_redelivery(valkey.url, client, Path(folder), kill=True) for _ in range(KILLS)]
            drained = [_redelivery(valkey.url, client, Path(folder), kill=False) for _ in range(KILLS)]
            costs = _costs(valkey.url, client, Path(folder))
        aimed = {
            transport: kill_consumers(valkey.url, kills=AIMED_KILLS, seed=1, transport=transport)
            for transport in ("kombu", "lease")
        }
    rows = [
        ("SIGKILL, lease of 5 s", *_spread(killed), f"{max(killed) / LEASE_SECONDS:.2f} leases at most"),
        ("SIGTERM, grace of 1 s", *_spread(drained), f"{max(drained) - GRACE_SECONDS:.2f} s after the grace at most"),
    ]
    print_table(("until others may have it", "min s", "median s", "max s", ""), rows)
    kombu, lease = (statistics.median(costs[transport]) for transport in ("kombu", "lease"))
    print_table(
        ("worker CPU for a task that does nothing", "µs", "ratio"),
        [
            ("kombu's transport", f"{kombu * 1e6:.0f}", "1.00"),
            ("leases and atomic pop", f"{lease * 1e6:.0f}", f"{lease / kombu:.2f}"),
        ],
    )
    print_table(
        (f"{AIMED_KILLS} kills aimed at the taking", "messages", "lost", "done twice"),
        [(name, str(each.sent), str(each.lost), str(each.twice)) for name, each in aimed.items()],
    )


def _spread(seconds: Sequence[float]) -> tuple[str, str, str]:
    return f"{min(seconds):.2f}", f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}"


def _redelivery(url: str, client: redis.Redis, folder: Path, *, kill: bool) -> float:
    """Seconds from the end of a worker that holds operations until the last of them is in the queue again."""
    queue = f"bench-{uuid.uuid4().hex[:8]}"
    keys = QueueKeys.of(queue)
    environ = worker_environ(
        url,
        queue,
        REDELIVERY_LEASE_SECONDS=str(LEASE_SECONDS),
        REDELIVERY_GRACE_SECONDS=str(GRACE_SECONDS),
        WORKER_SIZE=str(HELD),  # no more is taken of what is long
        WORKER_ISOLATION="off",  # takes no part in it, and time at each of forty starts
    )
    machine = Machine(queue, directory=folder, environ=environ)
    # Somebody must look for ended leases: the next worker, here without any of its own work.
    sweeper = Machine(f"{queue}-other", directory=folder, environ=environ)
    machine.start()
    try:
        machine.wait_ready()
        client.lpush(queue, *(redis_envelope(_message("%sleep 60"), queue) for _ in range(HELD)))
        _wait(lambda: client.zcard(keys.leases) == HELD)
        if kill:
            sweeper.start()
            sweeper.wait_ready()
            started = time.monotonic()
            machine.kill()
            _wait(lambda: client.hlen(keys.losses) == HELD)
        else:
            started = time.monotonic()
            machine.ask_to_end()
            _wait(lambda: client.llen(queue) == HELD)
        return time.monotonic() - started
    finally:
        machine.kill()
        sweeper.kill()


def _costs(url: str, client: redis.Redis, folder: Path) -> dict[str, list[float]]:
    """CPU seconds of a Celery worker for each task, rounds alternating between the transports."""
    costs: dict[str, list[float]] = {"kombu": [], "lease": []}
    for _ in range(ROUNDS):
        for transport, samples in costs.items():
            samples.append(_cost(url, client, folder, transport))
    return costs


def _cost(url: str, client: redis.Redis, folder: Path, transport: str) -> float:
    environ = {**os.environ, "NOOP_TRANSPORT": transport, "NOOP_BROKER_URL": url}
    options = ["--pool=threads", "--concurrency=8", "--without-gossip", "--without-mingle", "--loglevel=INFO"]
    worker = LocalProcess(
        name="a worker",
        command=[sys.executable, "-m", "celery", "-A", "benchmarks._noop", "worker", *options],
        log_path=folder / f"{uuid.uuid4().hex}.log",
        environ=environ,
    )
    worker.start()
    try:
        worker.wait_until(lambda: " ready." in worker.log(), timeout_seconds=60)
        process = psutil.Process(worker.pid)
        client.lpush(NOOP_QUEUE, *(redis_envelope(_noop(), NOOP_QUEUE) for _ in range(TASKS)))
        before = process.cpu_times()
        _wait(lambda: not client.exists(NOOP_QUEUE, "unacked", QueueKeys.of(NOOP_QUEUE).leased))
        after = process.cpu_times()
        return (after.user + after.system - before.user - before.system) / TASKS
    finally:
        worker.kill()


def _message(code: str) -> TaskMessage:
    header = CallHeader(reply_to="nobody", enqueued_at=time.time())
    return task_message(str(uuid.uuid4()), RunCode(code=code, timeout_seconds=100), header, sent_by="bench")


def _noop() -> TaskMessage:
    message = _message("x")
    return message._replace(headers={**message.headers, "task": "noop"}, body=msgspec.json.encode([[], {}, {}]))


def _wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the benchmark's condition did not come about")
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main()
