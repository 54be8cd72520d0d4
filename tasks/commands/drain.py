"""`leanfleet drain`: take machines out of service without losing what they do."""

import asyncio
import time
from typing import Annotated

import typer

from producer.connection import broker_errors, open_redis
from producer.errors import InvalidInputError
from producer.settings import load_settings
from workers.telemetry import WorkerReport, WorkerState, order_drain, read_reports

_POLL_SECONDS = 1.0


def drain(
    machines: Annotated[
        list[str], typer.Argument(metavar="MACHINE...", help="As workers report them: their host names.")
    ],
    *,
    wait: Annotated[bool, typer.Option(help="Return when they hold nothing any more.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="For --wait; 0: no limit.")] = 0.0,
) -> None:
    """Have workers on these machines take no more work.

    They finish what they hold, however long it takes. They go on living then, idle, until their machine ends; a worker
    that is to end soon is sent SIGTERM instead.

    Exit codes: 0 ordered, or with --wait drained; 1 not drained in time; 2 no such machine, no broker.
    """
    raise typer.Exit(asyncio.run(_drain(machines, wait=wait, timeout_seconds=timeout)))


async def _drain(machines: list[str], *, wait: bool, timeout_seconds: float) -> int:
    settings = load_settings()
    if not settings.reply_url:
        raise InvalidInputError("no broker is named: set LEANFLEET_BROKER_URL")
    redis = open_redis(settings.reply_url)
    try:
        with broker_errors(settings.reply_url):
            known = {report.machine for report in await read_reports(redis, settings.queue)}
            if unknown := sorted(set(machines) - known):
                there = ", ".join(sorted(known)) or "none"
                raise InvalidInputError(f"no worker reports from {unknown[0]!r}; those that do: {there}")
            for machine in machines:
                await order_drain(redis, machine)
            deadline = time.monotonic() + timeout_seconds if timeout_seconds else None
            while wait and (busy := _busy(await read_reports(redis, settings.queue), machines)):
                if deadline is not None and time.monotonic() > deadline:
                    typer.echo(f"not drained: {', '.join(busy)}", err=True)
                    return 1
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        await redis.aclose()
    return 0


def _busy(reports: list[WorkerReport], machines: list[str]) -> list[str]:
    return [each.worker for each in reports if each.machine in machines and each.state is not WorkerState.DRAINED]
