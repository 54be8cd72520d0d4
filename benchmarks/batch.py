"""What a batch of 100,000 proofs costs whoever submits it and asks for it, on a real broker and a real S3 server.

No worker runs: answers are put where workers put them, so that what is measured is the producer's part alone. Every
question is asked by a new `Batches`, as a new process would, which remembers nothing.
"""

import asyncio
import json
import os
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar, cast
from unittest import mock

import redis

from benchmarks._table import print_table
from producer.batch.batches import Batches
from producer.judgement import Verdict
from producer.keys import batch_key
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply
from producer.result import AuditedTheorem, Message, Position, Timing, VerifyProofResult
from producer.settings import Settings
from tasks.stack.seaweed import Seaweed
from tasks.stack.valkey import Valkey

PROOFS = 100_000
AT_ONCE = 5000

T = TypeVar("T")

CODE = """theorem t{n} (p q r : Prop) (hp : p) (hq : q) (hr : r) : (p ∧ q) ∧ r := by
  -- {filling}
  have step : p ∧ q := by
    constructor
    · exact hp
    · exact hq
  exact ⟨step, hr⟩
"""


def write_proofs(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for n in range(PROOFS):
            code = CODE.format(n=n, filling=f"{n} " * 100)
            file.write(json.dumps({"id": f"problem_{n}", "header": "import Mathlib", "code": code}) + "\n")


def answer_of(place: int) -> bytes:
    """Three of four are proved, the others have two errors."""
    timing = Timing(queued_seconds=1.25, lean_seconds=0.125)
    if place % 4:
        theorem = AuditedTheorem(name=f"t{place}", kind="theorem", axioms=("propext", "Classical.choice", "Quot.sound"))
        result = VerifyProofResult(
            outcome=Outcome.OK, verdict=Verdict.PROVED, theorems=(theorem,), timing=timing, worker="machine1"
        )
    else:
        error = "unsolved goals\np q r : Prop\nhp : p\nhq : q\nhr : r\n⊢ p ∧ q"
        result = VerifyProofResult(
            outcome=Outcome.LEAN_ERROR,
            verdict=Verdict.NOT_PROVED,
            reasons=("lean_error: 4:2: unsolved goals",) * 2,
            messages=(Message(severity="error", data=error, pos=Position(4, 2)),) * 2,
            timing=timing,
            worker="machine1",
        )
    return encode_reply(Reply(call_id=str(place), result=result))


async def timed(work: Callable[[], Awaitable[T]]) -> tuple[T, float, float]:
    """What it gave, and its seconds of time and of this process's CPU."""
    started, cpu = time.perf_counter(), time.process_time()
    found = await work()
    return found, time.perf_counter() - started, time.process_time() - cpu


async def run(settings: Settings, path: Path) -> list[list[str]]:
    rows: list[list[str]] = []

    async def measure(what: str, work: Callable[[Batches], Awaitable[T]]) -> T:
        async with Batches(settings) as batches:
            found, seconds, cpu = await timed(lambda: work(batches))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append([what, f"{seconds:.2f}", f"{cpu:.2f}", f"{peak:.0f}"])
        return found

    submission = await measure("submit a file", lambda batches: batches.submit_files([path]))
    assert submission.is_new
    assert submission.total == PROOFS
    batch_id = submission.id
    again = await measure("submit it again", lambda batches: batches.submit_files([path]))
    assert (again.id, again.is_new) == (batch_id, False)
    with redis.Redis.from_url(settings.broker_url) as server:
        used = server.info("memory")["used_memory"] / 2**20
        assert server.llen(settings.queue) == PROOFS
    status = await measure("status, no answers", lambda batches: batches.status(batch_id))
    assert status.answered == 0
    with redis.Redis.from_url(settings.broker_url) as server:
        (mailbox,) = cast("list[bytes]", server.keys(f"{batch_key(batch_id, 1)}:*"))  # a token ends its name
        for start in range(0, PROOFS, AT_ONCE):
            answers = {str(place): answer_of(place) for place in range(start, min(start + AT_ONCE, PROOFS - 1))}
            server.hset(mailbox, mapping=answers)
        answered = server.info("memory")["used_memory"] / 2**20
        status = await measure("status, all but one on the broker", lambda batches: batches.status(batch_id))
        assert (status.answered, status.verdicts[Verdict.PROVED]) == (PROOFS - 1, PROOFS * 3 // 4 - 1)
        status = await measure("status, all but one in the store", lambda batches: batches.status(batch_id))
        assert status.answered == PROOFS - 1
        server.hset(mailbox, str(PROOFS - 1), answer_of(PROOFS - 1))
    status = await measure("status, finished", lambda batches: batches.status(batch_id))
    assert (status.state, status.verdicts[Verdict.PROVED]) == ("finished", PROOFS * 3 // 4)
    results = await measure("results", lambda batches: batches.results(batch_id))
    assert len(results) == PROOFS
    print(f"the broker held {used:.0f} MiB with all messages, {answered:.0f} MiB with all answers besides")
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "proofs.jsonl"
        write_proofs(path)
        with (
            Valkey(folder / "valkey") as valkey,
            Seaweed(folder / "seaweed") as seaweed,
            mock.patch.dict(os.environ, seaweed.environ),
        ):
            settings = Settings(
                broker_url=valkey.url, store_url=seaweed.store_url, store_endpoint_url=seaweed.endpoint_url
            )
            rows = asyncio.run(run(settings, path))
    print_table([f"{PROOFS:,} proofs", "s", "CPU s of the producer", "peak MiB so far"], rows)
