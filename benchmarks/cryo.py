"""Ways to a warm REPL: a cold start, a pickle, a thawed process. In one run, over images of several sizes.

The heap is grown inside of the REPL by Lean values that stay reachable, and is as hard to compress as such values are.
Each way is measured from the decision to the first reply. A cold start with its header is "start + commands": all that
made the heap, once more. That elaborates definitions, where a header imports compiled ones and is quicker for the same
memory. The aims: thawing takes at most a quarter of the cold start at 300 MB and at most 100 ms at 60 MB, and beats a
published ratio of thaw to import, 0.16 (0.510 s to 3.211 s, where the import was of Mathlib).
"""

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks._table import print_table
from producer.errors import ReplTimeoutError
from workers.guard import Guard
from workers.images.criu import ENVIRONMENT, Criu, find_criu
from workers.images.errors import ImagesUnavailableError
from workers.images.freezing import freeze, remove
from workers.images.image import Image
from workers.images.stock import ImageStock
from workers.images.thawing import restoring, thaw
from workers.launch import Launch
from workers.memory import process_bytes
from workers.pool import AsyncLeanREPLPool
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject, embedded_project
from workers.protocol import get_adapter
from workers.protocol.requests import Command, PickleEnvironment, UnpickleEnvironment
from workers.protocol.responses import CommandResponse
from workers.settings import PoolSettings

MB = 1_000_000
SIZES = (0, 60 * MB, 300 * MB, 1000 * MB)
ROUNDS = 7
LONG_SECONDS = 600.0
# Bytes that a definition leaves behind, roughly; how many are needed is found out by looking.
BATCH = 400


class Bench:
    def __init__(self, criu: Criu, project: LeanProject, guard: Guard, folder: Path) -> None:
        self.criu, self.project, self.guard, self.folder = criu, project, guard, folder
        self.adapter = get_adapter(project.adapter)
        plain = Launch(command=project.command, directory=project.directory)
        self.launch = Launch(
            command=plain.command, directory=plain.directory, environment={**plain.environment, **ENVIRONMENT}
        )

    async def start(self) -> AsyncLeanREPLProcess:
        process = AsyncLeanREPLProcess(self.launch, self.adapter, guard=self.guard)
        await ask(process, "theorem t : True := True.intro")
        return process

    async def grown(self, size: int) -> tuple[AsyncLeanREPLProcess, list[str]]:
        """A REPL that holds `size` bytes, and the commands that led there, each on the environment before."""
        process = await self.start()
        commands: list[str] = []
        while process_bytes(process.pid) < size:
            number = len(commands)
            commands.append("\n".join(f"def x{number}_{i} (n : Nat) : Nat := n + {i} * n" for i in range(BATCH)))
            await ask(process, commands[-1], len(commands) - 1)
        return process, commands

    async def freeze(self, process: AsyncLeanREPLProcess) -> Image:
        return await freeze(
            process,
            criu=self.criu,
            project=self.project.fingerprint,
            header="",
            environment=0,
            parent=self.folder,
            guard=self.guard,
        )

    async def thaw(self, image: Image) -> AsyncLeanREPLProcess:
        with restoring(image, self.launch, self.criu, None) as launch:
            pass
        process = await thaw(
            image,
            launch,
            self.adapter,
            guard=self.guard,
            max_reply_bytes=MB,
            stderr_tail_bytes=1000,
        )
        await ask(process, "theorem t' : True := True.intro", 0)
        return process


async def ask(process: AsyncLeanREPLProcess, code: str, environment: int | None = None) -> None:
    response = await process.send(Command(code=code, environment=environment), timeout_seconds=LONG_SECONDS)
    assert isinstance(response, CommandResponse), response
    assert not response.errors, response.errors


async def timed(work: Callable[[], Awaitable[AsyncLeanREPLProcess]], copies: int = 1) -> float:
    """Seconds until all of them have answered."""
    began = time.perf_counter()
    processes = await asyncio.gather(*(work() for _ in range(copies)))
    seconds = time.perf_counter() - began
    for process in processes:
        await process.close()
    return seconds


async def measure(bench: Bench, size: int) -> list[str]:
    original, commands = await bench.grown(size)
    held = process_bytes(original.pid)
    pickle = bench.folder / f"pickle-{size}"
    saved = await original.send(PickleEnvironment(environment=len(commands), path=pickle), timeout_seconds=LONG_SECONDS)
    assert isinstance(saved, CommandResponse), saved

    async def replay() -> AsyncLeanREPLProcess:
        process = await bench.start()
        for number, command in enumerate(commands):
            await ask(process, command, number)
        return process

    async def unpickle() -> AsyncLeanREPLProcess:
        process = await bench.start()
        loaded = await process.send(UnpickleEnvironment(path=pickle), timeout_seconds=LONG_SECONDS)
        assert isinstance(loaded, CommandResponse), loaded
        return process

    frozen: list[float] = []
    images: list[Image] = []
    for _ in range(3):
        began = time.perf_counter()
        images.append(await bench.freeze(original))
        frozen.append(time.perf_counter() - began)
    await original.close()
    image = images[-1]
    ways: dict[str, list[float]] = {"start": [], "pickle": [], "1": [], "4": [], "8": []}
    for _ in range(ROUNDS):  # alternating, so that a noisy neighbour meets all alike
        ways["start"].append(await timed(bench.start))
        ways["pickle"].append(await timed(unpickle))
        ways["1"].append(await timed(lambda: bench.thaw(image)))
    for copies in (n for n in (4, 8) if n * image.size_bytes < available_bytes() * 3 // 4):
        for _ in range(2):
            ways[str(copies)].append(await timed(lambda: bench.thaw(image), copies))
    # What a cold start has to do to come as far: once, for it takes long.
    whole = statistics.median(ways["start"]) if not commands else await timed(replay)
    for each in images:
        remove(each)
    pickle.unlink()
    thawed = statistics.median(ways["1"])
    return [
        f"{held / MB:.0f}",
        f"{image.size_bytes / MB:.0f}",
        ms(statistics.median(ways["start"])),
        ms(whole),
        ms(statistics.median(ways["pickle"])),
        ms(statistics.median(frozen)),
        ms(thawed),
        *(ms(statistics.median(ways[n])) if ways[n] else "-" for n in ("4", "8")),
        f"{thawed / whole:.3f}",
    ]


async def replaced(criu: Criu, project: LeanProject, *, with_images: bool) -> float:
    """Seconds from the moment at which a time limit has killed a pool's only REPL until another one is leased."""
    stock = ImageStock(criu, project=project.fingerprint) if with_images else None
    samples = []
    try:
        async with AsyncLeanREPLPool(project, PoolSettings(size=1, spares=0), images=stock) as pool:
            await pool.ready()
            for _ in range(2 * ROUNDS):
                async with pool.lease() as repl:
                    with contextlib.suppress(ReplTimeoutError):
                        await repl.send(Command(code="def late := 1"), timeout_seconds=0.0)
                began = time.perf_counter()
                async with pool.lease():
                    samples.append(time.perf_counter() - began)
            assert (pool.snapshot().thaws > 0) == with_images
    finally:
        if stock is not None:
            stock.close()
    return statistics.median(samples)


def available_bytes() -> int:
    """Memory that can be had on this machine now."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}"


async def run() -> None:
    try:
        criu = find_criu()
    except ImagesUnavailableError as error:
        print(f"skipped: {error}")
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="leanfleet-cryo-") as folder, Guard() as guard:
        bench = Bench(criu, embedded_project(), guard, Path(folder))
        for size in SIZES:
            rows += [await measure(bench, size)]
        started, thawed = [await replaced(criu, bench.project, with_images=images) for images in (False, True)]
    print(
        f"A killed REPL is replaced in {ms(started)} ms by a start and in {ms(thawed)} ms by a thaw, without spares.\n"
    )
    columns = ("heap, MB", "image, MB", "start", "start + commands", "start + pickle", "freeze", "thaw")
    print("Milliseconds to the first reply, of the embedded Lean; medians. A start has nothing of what the heap holds.")
    print_table((*columns, "4 at once", "8 at once", "thaw / start + commands"), rows)


def main() -> None:
    asyncio.run(run())


if __name__ == "__main__":
    main()
