"""What a fence costs: from starting a REPL to its first reply, plain and isolated, in one run.

Rounds alternate between the fences, so that a noisy neighbour meets all of them alike. The aim is at most 20 ms more
than a plain start.
"""

import asyncio
import dataclasses
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks._table import print_table
from workers.isolation.capabilities import probe
from workers.isolation.enclosure import Enclosures
from workers.isolation.fence import plan
from workers.isolation.opening import open_fence
from workers.launch import Isolation, Launch, no_isolation
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject, embedded_project
from workers.protocol import get_adapter
from workers.protocol.requests import Command
from workers.settings import WorkerSettings
from workers.testing.project import scripted_project

ROUNDS = 30
COMMAND = Command(code="theorem t : True := True.intro")


async def start(project: LeanProject, isolation: Isolation) -> float:
    """Seconds from the decision to start a REPL to its first reply."""
    adapter = get_adapter(project.adapter)
    began = time.perf_counter()
    with isolation(Launch(command=project.command, directory=project.directory)) as launch:
        async with AsyncLeanREPLProcess(launch, adapter) as process:
            await process.send(COMMAND, timeout_seconds=60)
            return time.perf_counter() - began


@contextmanager
def fences(project: LeanProject) -> Iterator[dict[str, Isolation]]:
    """The ways to start it, as far as this machine has them."""
    whole = open_fence(WorkerSettings(), project)
    without_namespaces = plan(
        dataclasses.replace(probe(), bubblewrap="", bubblewrap_flaw="left out by the benchmark"), whole.policy
    )
    opened = {"without namespaces": Enclosures(without_namespaces)}
    if whole.bubblewrap:
        opened["all of it"] = Enclosures(whole)
    try:
        yield {"none": no_isolation, **opened}
    finally:
        for each in opened.values():
            each.close()


async def measure(project: LeanProject) -> dict[str, list[float]]:
    with fences(project) as ways:
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for isolation in ways.values():
            await start(project, isolation)  # warms the page cache
        for _ in range(ROUNDS):
            for name, isolation in ways.items():
                seconds[name].append(await start(project, isolation))
    return seconds


def main() -> None:
    rows = []
    for title, project in {"a program of 30 ms": scripted_project(), "embedded Lean": embedded_project()}.items():
        seconds = asyncio.run(measure(project))
        plain = statistics.median(seconds["none"])
        for name, samples in seconds.items():
            median = statistics.median(samples)
            # Pairs of one round: what the neighbours do to both cancels out.
            more = statistics.median(a - b for a, b in zip(samples, seconds["none"], strict=True))
            rows.append([title, name, f"{median * 1000:.1f}", f"{more * 1000:+.1f}", f"{median / plain:.2f}"])
    print_table(("REPL", "fence", "start to first reply, ms", "more than none, ms", "ratio"), rows)


if __name__ == "__main__":
    main()
