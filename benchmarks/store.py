"""Small blobs in and out of S3: our store against boto3 with 16 threads, on the same server in the same run.

Both write with `If-None-Match: *`; ours also hashes, and verifies what it reads. Rounds alternate.
"""

import asyncio
import concurrent.futures
import contextlib
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from unittest import mock

import boto3
from botocore.config import Config

from benchmarks._table import print_table
from producer.settings import Settings
from producer.store import AsyncStore, open_store
from tasks.stack.seaweed import Seaweed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

THREADS = 16
BLOBS = 800
BLOB_BYTES = 2000
ROUNDS = 3


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leanfleet-bench-")))
        server = stack.enter_context(Seaweed(folder))
        stack.enter_context(mock.patch.dict(os.environ, server.environ))
        client: S3Client = boto3.client(
            "s3",
            endpoint_url=server.endpoint_url,
            config=Config(max_pool_connections=THREADS, s3={"addressing_style": "path"}),
        )
        threads = stack.enter_context(concurrent.futures.ThreadPoolExecutor(THREADS))
        samples: dict[str, list[tuple[float, float]]] = {}
        with asyncio.Runner() as runner:
            store = open_store(
                Settings(store_url=f"s3://{server.bucket}/bench", store_endpoint_url=server.endpoint_url)
            )
            for _ in range(ROUNDS):
                for name, work in rounds(client, server.bucket, threads, runner, store):
                    samples.setdefault(name, []).append(measured(work))
            runner.run(store.aclose())
        client.close()
    show(samples)


def rounds(
    client: "S3Client",
    bucket: str,
    threads: concurrent.futures.ThreadPoolExecutor,
    runner: asyncio.Runner,
    store: AsyncStore,
) -> Iterator[tuple[str, Callable[[], object]]]:
    """One round: each way writes new blobs and reads them back."""
    theirs = {f"boto/{os.urandom(16).hex()}": os.urandom(BLOB_BYTES) for _ in range(BLOBS)}
    ours = [os.urandom(BLOB_BYTES) for _ in range(BLOBS)]
    hashes: list[str] = []

    def put(item: tuple[str, bytes]) -> None:
        client.put_object(Bucket=bucket, Key=item[0], Body=item[1], IfNoneMatch="*")

    def get(name: str) -> bytes:
        return client.get_object(Bucket=bucket, Key=name)["Body"].read()

    async def limited(calls: list[Callable[[], Awaitable[T]]]) -> list[T]:
        slots = asyncio.Semaphore(THREADS)

        async def one(call: Callable[[], Awaitable[T]]) -> T:
            async with slots:
                return await call()

        return await asyncio.gather(*map(one, calls))

    yield "boto3, 16 threads: put", lambda: list(threads.map(put, theirs.items()))
    yield (
        "leanfleet: put",
        lambda: hashes.extend(runner.run(limited([partial(store.put, data) for data in ours]))),
    )
    yield "boto3, 16 threads: get", lambda: list(threads.map(get, theirs))
    yield "leanfleet: get", lambda: runner.run(limited([partial(store.get, sha256) for sha256 in hashes]))


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Requests a second, and CPU microseconds of this process for one."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return BLOBS / seconds, 1e6 * cpu / BLOBS


def show(samples: dict[str, list[tuple[float, float]]]) -> None:
    rates = {name: statistics.median(rate for rate, _ in taken) for name, taken in samples.items()}
    rows = []
    for name, taken in samples.items():
        baseline = rates["boto3, 16 threads: " + name.rpartition(" ")[2]]
        cpu = statistics.median(cpu for _, cpu in taken)
        rows.append([name, f"{rates[name]:,.0f}", f"{cpu:,.0f}", f"{rates[name] / baseline:.2f}"])
    print(f"{BLOB_BYTES:,}-byte blobs, {THREADS} at a time, median of {ROUNDS} rounds of {BLOBS}")
    print_table(["way", "a second", "client CPU µs each", "times boto3"], rows)


if __name__ == "__main__":
    main()
