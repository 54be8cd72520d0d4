"""What a worker says of itself every few seconds, and what it is told in return.

One JSON report a worker, under a key that the server forgets by itself: a worker that died stops being counted without
anyone comparing two machines' clocks. The counters only grow, so that a lost report costs nothing, and the reader takes
differences. In the same round trip the worker learns whether its machine is to be drained.
"""

import asyncio
import enum
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec
from redis.asyncio import Redis

from producer.unreadable import UNREADABLE
from workers.notes import SET, set_note

VERSION = 1
# A report is due every REPORT_SECONDS; one that is missing for REPORT_TTL_SECONDS means that the worker is gone.
REPORT_SECONDS = 5.0
REPORT_TTL_SECONDS = 20
# Long enough for the slowest drain (the longest operation), short enough that no machine inherits an old order.
DRAIN_TTL_SECONDS = 6 * 3600

_BUCKETS_PER_OCTAVE = 2
_FIRST_BUCKET_SECONDS = 0.001
_LAST_BUCKET = 48  # beyond four hours


# KEYS report, workers; ARGV report, milliseconds, worker.
_PUBLISH = f"{SET}redis.call('SADD', KEYS[2], ARGV[3])"


def workers_key(queue: str) -> str:
    """The set of names of the queue's workers; those without a report are removed by whoever reads."""
    return f"leanfleet:workers:{queue}"


def report_key(queue: str, worker: str) -> str:
    return f"leanfleet:worker:{queue}:{worker}"


def drain_key(machine: str) -> str:
    """Exists while that machine is ordered to take no more work."""
    return f"leanfleet:drain:{machine}"


class WorkerState(enum.StrEnum):
    STARTING = "starting"  # REPLs are not warm yet
    WARM = "warm"  # takes work
    DRAINING = "draining"  # takes no more work, and may still hold some
    DRAINED = "drained"  # takes no more work and holds none: its machine may end


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One kind of operation on one worker since it started. `busy_seconds` counts running operations up to now.

    `durations` is a histogram: how many completed operations took at most `bucket_seconds(index)`.
    """

    completed: int = 0
    running: int = 0
    busy_seconds: float = 0.0
    durations: dict[int, int] = {}


class Recent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last minute of a worker, or less after its start."""

    seconds: float = 0.0
    completed: dict[str, int] = {}  # by kind
    busy_seconds: float = 0.0
    outcomes: dict[str, int] = {}


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A snapshot of one worker process. Its `slots` are the REPLs that may work at a time, not the threads that wait.

    `machine` is how the provider of the machine names it (instance id); several workers may share one. `in_flight` are
    deliveries that this worker took and has not acknowledged. `started_at` is unix time and tells two lives of one name
    apart.
    """

    worker: str
    machine: str
    state: WorkerState
    slots: int
    warm_slots: int
    in_flight: int
    started_at: float
    boot_seconds: float = 0.0  # from the machine's start until the first REPL was warm, where it is known
    preempted: bool = False  # the provider announced that it will take the machine
    usage: dict[str, Usage] = {}
    repls: int = 0  # that may work at a time, as the pool has it; as many as `slots` once there is a pool
    busy_repls: int = 0
    recent: Recent = Recent()
    metrics_url: str = ""  # where Prometheus finds this worker, as seen from its own machine
    v: int = VERSION


def bucket_of(seconds: float) -> int:
    """The histogram's bucket for a duration: bucket 0 ends at 1 ms, and two buckets make a doubling."""
    if seconds <= _FIRST_BUCKET_SECONDS:
        return 0
    return min(math.ceil(math.log2(seconds / _FIRST_BUCKET_SECONDS) * _BUCKETS_PER_OCTAVE - 1e-9), _LAST_BUCKET)


def bucket_seconds(bucket: int) -> float:
    """The bucket's upper end."""
    return float(_FIRST_BUCKET_SECONDS * 2 ** (bucket / _BUCKETS_PER_OCTAVE))


class _Run:
    """One operation that is carried out. `since` is None while it waits."""

    def __init__(self, kind: str, clock: Callable[[], float]) -> None:
        self.kind = kind
        self._clock = clock
        self._spent = 0.0
        self.since: float | None = clock()

    @property
    def seconds(self) -> float:
        return self._spent + (0.0 if self.since is None else self._clock() - self.since)

    def pause(self) -> None:
        self._spent, self.since = self.seconds, None

    def resume(self) -> None:
        self.since = self._clock()


_run: ContextVar[_Run | None] = ContextVar("leanfleet_run", default=None)


@contextmanager
def waiting() -> Iterator[None]:
    """Around a wait for a REPL: what waits keeps none busy. Without effect outside of `Meter.running`."""
    run = _run.get()
    if run is None or run.since is None:
        yield
        return
    run.pause()
    try:
        yield
    finally:
        run.resume()


class Meter:
    """Counts what a worker's slots do. Not thread-safe: it lives on the worker's event loop."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._completed: dict[str, int] = {}
        self._ended_seconds: dict[str, float] = {}
        self._durations: dict[str, dict[int, int]] = {}
        self._runs: set[_Run] = set()

    @contextmanager
    def running(self, kind: str) -> Iterator[None]:
        """Around an operation. Its time counts, restoring its state included, but for what it spends in `waiting`.

        One that is cancelled has taken time, and says nothing of how long its kind takes.
        """
        run = _Run(kind, self._clock)
        self._runs.add(run)
        token = _run.set(run)
        is_cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            _run.reset(token)
            self._runs.discard(run)
            seconds = run.seconds
            self._ended_seconds[kind] = self._ended_seconds.get(kind, 0.0) + seconds
            if not is_cancelled:
                self._completed[kind] = self._completed.get(kind, 0) + 1
                durations = self._durations.setdefault(kind, {})
                bucket = bucket_of(seconds)
                durations[bucket] = durations.get(bucket, 0) + 1

    def usage(self) -> dict[str, Usage]:
        """All that was counted since the start."""
        running: dict[str, int] = {}
        busy = dict(self._ended_seconds)
        for run in self._runs:
            running[run.kind] = running.get(run.kind, 0) + (run.since is not None)
            busy[run.kind] = busy.get(run.kind, 0.0) + run.seconds
        return {
            kind: Usage(
                completed=self._completed.get(kind, 0),
                running=running.get(kind, 0),
                busy_seconds=seconds,
                durations=dict(self._durations.get(kind, {})),
            )
            for kind, seconds in busy.items()
        }


async def publish(redis: Redis, queue: str, report: WorkerReport) -> bool:
    """Store the report; return whether the machine is ordered to drain. Raises what redis-py raises."""
    keys = (report_key(queue, report.worker), workers_key(queue))
    values = (msgspec.json.encode(report), int(REPORT_TTL_SECONDS * 1000), report.worker)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.eval(_PUBLISH, len(keys), *keys, *values)
        # Not in the script: it may be read only, and a script's keys must be one's own to write.
        pipeline.exists(drain_key(report.machine))
        _, drain = await pipeline.execute()
    return bool(drain)


async def withdraw(redis: Redis, queue: str, worker: str) -> None:
    """Forget a worker that ends in good order, so that nobody waits for its report to expire."""
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.delete(report_key(queue, worker))
        pipeline.srem(workers_key(queue), worker)
        await pipeline.execute()


async def read_reports(redis: Redis, queue: str) -> list[WorkerReport]:
    """The reports of the queue's living workers, in order of their names; those of an unknown version are left out."""
    found = await redis.smembers(workers_key(queue))
    names = sorted(name if isinstance(name, bytes) else name.encode() for name in found)
    if not names:
        return []
    texts = await redis.mget([report_key(queue, name.decode(errors="replace")) for name in names])
    if gone := [name for name, text in zip(names, texts, strict=True) if text is None]:
        await redis.srem(workers_key(queue), *gone)
    reports = []
    for text in texts:
        try:
            report = msgspec.json.decode(text or b"", type=WorkerReport)
        except UNREADABLE:
            continue
        if report.v == VERSION:
            reports.append(report)
    return reports


async def order_drain(redis: Redis, machine: str) -> None:
    """Tell the workers on that machine to take no more work; they see it with their next report."""
    await set_note(redis, drain_key(machine), b"1", ttl_seconds=DRAIN_TTL_SECONDS)
