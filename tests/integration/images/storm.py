"""Workers that freeze and thaw all the time and are killed by SIGKILL at random moments: run as a program.

    python -m tests.integration.images.storm ROUNDS SEED [isolated]

It is the subreaper of all that they leave behind: what has lost its parent becomes its child, and none may be left.
`isolated` needs what docs/images-criu.md says.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from producer.errors import LeanFleetError, ReplTimeoutError
from workers.images.errors import ImageError
from workers.images.opening import open_stock
from workers.isolation.opening import open_isolation
from workers.pool import AsyncLeanREPLPool
from workers.processes import children
from workers.protocol.requests import Command
from workers.settings import WorkerSettings
from workers.testing.project import scripted_project

_PR_SET_CHILD_SUBREAPER = 36
_SECONDS = 120.0
_SIZE = 4


async def _kill_one(pool: AsyncLeanREPLPool, seed: int, *, isolated: bool) -> None:
    """A REPL is killed by a time limit, or cloned, again and again."""
    rng = random.Random(seed)
    while True:
        with contextlib.suppress(LeanFleetError):
            async with pool.lease() as repl:
                if isolated or rng.random() < 0.5:
                    with contextlib.suppress(ReplTimeoutError):
                        await repl.send(Command(code="%hang"), timeout_seconds=0.01)
                else:
                    with contextlib.suppress(ImageError):
                        async with pool.beam(repl) as copy:
                            await copy.send(Command(code=""), timeout_seconds=_SECONDS)


async def _work(*, isolated: bool) -> None:
    """All that it makes on disk is in TMPDIR."""
    worker = WorkerSettings(
        isolation="required" if isolated else "off",
        size=_SIZE,
        spares=1,
        header="import Mathlib",
        backoff_most_seconds=0.1,
    )
    project = scripted_project("--import-seconds", "0.5")
    async with AsyncExitStack() as stack:
        isolation = stack.enter_context(open_isolation(worker, project))
        images = await stack.enter_async_context(open_stock(worker, project, is_fenced=isolated))
        pool = await stack.enter_async_context(AsyncLeanREPLPool(project, worker, isolation=isolation, images=images))
        while not images.counts.frozen:
            async with pool.lease():
                await asyncio.sleep(0.01)
        print("ready", flush=True)  # noqa: T201
        await asyncio.gather(*(_kill_one(pool, seed, isolated=isolated) for seed in range(_SIZE - 1)))


def _descendants() -> list[int]:
    """Those that have not ended; the dead ones are reaped."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    found, waiting = [], list(children(os.getpid()))
    while waiting:
        found.append(waiting.pop())
        waiting += children(found[-1])
    return found


def _round(folder: Path, rng: random.Random, how: str) -> None:
    command = (sys.executable, "-m", "tests.integration.images.storm", "work", how)
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n", "the worker does not come up"
        time.sleep(rng.uniform(0.0, 1.5))
        worker.kill()
        worker.wait()
    deadline = time.monotonic() + _SECONDS
    while left := _descendants():
        if time.monotonic() > deadline:
            commands = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in left]
            raise AssertionError(f"outlived its worker: {commands}")
        time.sleep(0.02)


def main() -> None:
    if sys.argv[1] == "work":
        logging.getLogger("leanfleet").setLevel(logging.CRITICAL)
        asyncio.run(_work(isolated=sys.argv[2] == "isolated"))
        return
    rounds, rng, how = int(sys.argv[1]), random.Random(int(sys.argv[2])), (*sys.argv[3:], "")[0]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    with tempfile.TemporaryDirectory(prefix="leanfleet-storm-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # REPLs of users of their own pass through
        before: list[str] = []
        for _ in range(rounds):
            _round(folder, rng, how)
            left = sorted(path.name for path in folder.iterdir())
            assert left, "a worker that is killed deletes nothing"
            assert not {*left} & {*before}, f"the next one that starts does: {left}"
            before = left
    print(f"{rounds} workers killed, nothing left")  # noqa: T201


if __name__ == "__main__":
    main()
