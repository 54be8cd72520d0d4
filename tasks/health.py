"""`python -m tasks.health`: is this machine's worker alive? For a container's health check.

A worker reports itself to the broker every few seconds, and the broker forgets a report that was not renewed. So a
report that is there says that the worker's event loop turns and that it reaches the broker.
"""

import asyncio
import sys

from redis.exceptions import RedisError

from producer.connection import open_redis
from producer.errors import LeanFleetError
from producer.settings import load_section, load_settings
from tasks.reporting import MachineSettings
from workers.telemetry import WorkerReport, WorkerState, read_reports


def health(reports: list[WorkerReport], machine: str) -> str:
    """Why the machine's worker is not well; empty when it is."""
    mine = [report for report in reports if report.machine == machine]
    if not mine:
        return f"no worker of {machine} reports itself"
    if all(report.state is WorkerState.STARTING for report in mine):
        return f"the worker of {machine} is still starting"
    return ""


async def _reports() -> list[WorkerReport]:
    settings = load_settings()
    redis = open_redis(settings.reply_url)
    try:
        return await read_reports(redis, settings.queue)
    finally:
        await redis.aclose()


def main() -> int:
    """Print what is wrong and return 1, or return 0."""
    try:
        problem = health(asyncio.run(_reports()), load_section("machine", MachineSettings).name)
    except (LeanFleetError, RedisError, OSError) as error:
        problem = str(error)
    if problem:
        print(problem, file=sys.stderr)  # noqa: T201 - what `docker inspect` shows
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
