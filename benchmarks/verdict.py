"""What a verdict costs: a short proof verified, against the same text run and nothing more.

Both go through a worker's executor on the embedded Lean. Rounds alternate between the two, so that a noisy neighbour
meets both alike. The aim is at most twice the time of running it, the statement being known: in training the same one
comes with many proofs. The first proof of a statement is measured, too.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks._table import print_table
from producer.operation import AnyOperation, RunCode, VerifyProof
from producer.result import VerifyProofResult
from workers.executor import Executor
from workers.isolation.opening import open_isolation
from workers.pool import AsyncLeanREPLPool
from workers.project import embedded_project
from workers.settings import WorkerSettings
from workers.verification.verifier import Verifier

ROUNDS = 200
TREE = (
    "inductive Tree | leaf | node (l r : Tree)\ndef Tree.size : Tree → Nat | leaf => 1 | node l r => l.size + r.size\n"
)
PROOFS = {
    "one lemma": ("theorem t (n : Nat) : n < n + 1 := ", "Nat.lt_succ_self n"),
    "simp": ("theorem t (p q : Prop) (h : p ∧ q) (n : Nat) : q ∧ n + 0 = n := ", "by\n  simp [h.2]"),
    "a Nat induction": (
        "theorem t (n : Nat) : 0 + n = n := ",
        "by\n  induction n with\n  | zero => rfl\n  | succ n ih => rw [← Nat.add_assoc, ih]",
    ),
    "with definitions": (
        TREE + "theorem t (x : Tree) : 0 < x.size := ",
        "by\n  induction x with\n  | leaf => exact Nat.zero_lt_one\n  | node l r a b => exact Nat.add_pos_left a _",
    ),
}


@asynccontextmanager
async def executor() -> AsyncIterator[Executor]:
    project, settings = embedded_project(), WorkerSettings(size=1)
    async with AsyncExitStack() as stack:
        isolation = stack.enter_context(open_isolation(settings, project))
        pool = await stack.enter_async_context(AsyncLeanREPLPool(project, settings, isolation=isolation))
        verifier = await stack.enter_async_context(Verifier(project, settings, isolation=isolation))
        yield await stack.enter_async_context(Executor(pool, None, settings, verifier=verifier))


async def seconds(worker: Executor, operation: AnyOperation) -> float:
    started = time.perf_counter()
    result = await worker.execute(operation)
    took = time.perf_counter() - started
    assert result.ok, result
    assert not isinstance(result, VerifyProofResult) or result.is_proved, result
    return took


async def measure() -> list[list[str]]:
    rows = []
    async with executor() as worker:
        for name, (claim, proof) in PROOFS.items():
            text = claim + proof
            first = []
            for number in range(10):  # a statement that was never seen, each time
                unseen = f"-- {number}\n{claim}sorry"
                first.append(await seconds(worker, VerifyProof(statement=unseen, proof=text)))
            run, verified = [], []
            for _ in range(ROUNDS):
                run.append(await seconds(worker, RunCode(code=text)))
                verified.append(await seconds(worker, VerifyProof(statement=f"{claim}sorry", proof=text)))
            plain, whole = statistics.median(run), statistics.median(verified)
            ratio = statistics.median(b / a for a, b in zip(run, verified, strict=True))
            new = statistics.median(first)
            rows.append([name, f"{plain * 1000:.2f}", f"{whole * 1000:.2f}", f"{ratio:.2f}", f"{new * 1000:.2f}"])
    return rows


def main() -> None:
    columns = ("proof", "run_code, ms", "verify_proof, ms", "ratio", "with a new statement, ms")
    print_table(columns, asyncio.run(measure()))


if __name__ == "__main__":
    main()
