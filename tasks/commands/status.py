"""`leanfleet status`: what an operator asks first."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import msgspec
import typer
from redis.asyncio import Redis
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from producer.commands.terminal import printable
from producer.connection import broker_errors, open_redis
from producer.errors import BrokerUnavailableError, InvalidInputError
from producer.settings import REDIS_SCHEMES, Settings, load_settings, without_password
from tasks.redelivery.dead import dead_key
from tasks.status import FleetStatus, fleet_status, targets
from workers.scaling.observer import Observer, Sight

_MOST_WORKERS = 40  # that a screen shows; the busiest
_PIPE_WIDTH = 140
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LONG = 100  # of whatever unit: from here on the next larger one says it better


class _Look(NamedTuple):
    sight: Sight
    status: FleetStatus


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.2, help="Between two looks of --watch.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each look as one line of JSON.")] = False,
    prometheus: Annotated[
        bool, typer.Option("--targets", help="Print where workers serve metrics, for file_sd_configs of Prometheus.")
    ] = False,
) -> None:
    """Show the queue, workers, rates, and what is wrong.

    Exit codes: 0 shown; 1 operations wait and no worker takes work; 2 the broker cannot be reached.
    """
    if prometheus and (watch or as_json):
        raise InvalidInputError("--targets stands alone: it prints one JSON document")
    settings = load_settings()
    if not settings.broker_url:
        raise InvalidInputError("no broker is named: set LEANFLEET_BROKER_URL")
    try:
        if prometheus:
            asyncio.run(_print_targets(settings))
        elif watch and not as_json and Console().is_terminal:
            asyncio.run(_show_live(settings, interval))
        else:
            raise typer.Exit(asyncio.run(_print(settings, interval if watch else None, as_json=as_json)))
    except KeyboardInterrupt:
        return


async def _print_targets(settings: Settings) -> None:
    async with _watcher(settings) as watcher:
        found = await watcher.look()
    typer.echo(msgspec.json.encode(targets(found.sight.reports)))


async def _print(settings: Settings, interval: float | None, *, as_json: bool) -> int:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH  # whoever reads a pipe has no columns
    async with _watcher(settings) as watcher:
        while True:
            found = (await watcher.look()).status
            if as_json:
                typer.echo(msgspec.json.encode(found))
            else:
                console.print(rendered(found, settings))
            if interval is None:
                return int(found.is_stuck)
            await asyncio.sleep(interval)


async def _show_live(settings: Settings, interval: float) -> None:
    with Live(Text("looking …"), screen=True, auto_refresh=False) as live:
        async with _watcher(settings) as watcher:
            shown: RenderableType = ""
            while True:
                try:
                    shown = rendered((await watcher.look()).status, settings)
                    live.update(shown, refresh=True)
                except BrokerUnavailableError as error:
                    # What was seen last stays in view: that the broker is away may be the very thing to watch.
                    live.update(Group(Text(f"! {error.message}", style="bold red"), shown), refresh=True)
                await asyncio.sleep(interval)


class _Watcher:
    def __init__(self, settings: Settings, observer: Observer, servers: list[tuple[str, Redis]]) -> None:
        self._settings = settings
        self._observer = observer
        self._servers = servers

    async def look(self) -> _Look:
        """Raise BrokerUnavailableError."""
        sight = await self._observer.look()
        dead = 0
        for url, server in self._servers:
            with broker_errors(url):
                dead += await server.llen(dead_key(self._settings.queue))
        return _Look(sight, fleet_status(sight, queue=self._settings.queue, dead=dead, now=time.time()))


@asynccontextmanager
async def _watcher(settings: Settings) -> AsyncIterator[_Watcher]:
    async with AsyncExitStack() as stack:
        redis = open_redis(settings.reply_url, name="leanfleet-status")
        stack.push_async_callback(redis.aclose)
        servers = [(settings.reply_url, redis)]
        if settings.broker_url != settings.reply_url and urlsplit(settings.broker_url).scheme in REDIS_SCHEMES:
            # Workers lay what they cannot even read among the dead letters of the broker itself.
            broker = open_redis(settings.broker_url, name="leanfleet-status")
            stack.push_async_callback(broker.aclose)
            servers.append((settings.broker_url, broker))
        observer = Observer(settings, redis)
        stack.push_async_callback(observer.close)
        yield _Watcher(settings, observer, servers)


def rendered(status: FleetStatus, settings: Settings) -> RenderableType:
    """For a terminal."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    facts.add_row("queue", f"{status.queue.name} at {without_password(settings.broker_url)}")
    facts.add_row("", _queue_line(status))
    facts.add_row("fleet", _fleet_line(status))
    rates = ", ".join(f"{kind} {rate:,.1f}" for kind, rate in status.rates.items())
    facts.add_row("rate", f"{status.operations_per_second:,.1f} operations/s" + (f" ({rates})" if rates else ""))
    outcomes = ", ".join(f"{name} {count:,}" for name, count in status.outcomes.items())
    facts.add_row("last minute", outcomes or "nothing was answered")
    parts: list[RenderableType] = [facts]
    if status.workers:
        parts += ["", _workers_table(status)]
    parts += [Text(f"! {printable(problem)}", style="bold red") for problem in status.problems]
    return Group(*parts)


def _queue_line(status: FleetStatus) -> str:
    queue = status.queue
    words = [f"{queue.waiting:,} waiting"]
    if queue.waiting and queue.oldest_seconds is not None:
        words.append(f"the oldest for {duration(queue.oldest_seconds)}")
    if queue.waiting and queue.eta_seconds is not None:
        words.append(f"empty in {duration(queue.eta_seconds)} at this rate")
    if queue.interactive and queue.interactive < queue.waiting:
        words.append(f"{queue.interactive:,} of them interactive")
    if queue.producers and queue.producers > 1:
        words.append(f"{queue.producers:,} producers take turns")
    if queue.in_flight is not None:
        words.append(f"{queue.in_flight:,} in flight")
    words.append(f"{queue.dead:,} dead letters")
    return ", ".join(words)


def _fleet_line(status: FleetStatus) -> str:
    states = ", ".join(f"{count} {state}" for state, count in sorted(status.states.items()))
    busy = "" if status.busy_share is None else f", {status.busy_share:.0%} busy"
    return (
        f"{status.machines} machines, {len(status.workers)} workers"
        + (f" ({states})" if states else "")
        + f", {status.repls} REPLs{busy}"
    )


def _workers_table(status: FleetStatus) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("worker")
    table.add_column("state")
    for name in ("busy", "in flight", "ops/s", "up"):
        table.add_column(name, justify="right")
    table.add_column("metrics", style="dim")
    shown = sorted(status.workers, key=lambda each: -each.operations_per_second)[:_MOST_WORKERS]
    for each in sorted(shown, key=lambda each: each.worker):
        table.add_row(
            Text(printable(each.worker)),
            f"{each.state}, preempted" if each.preempted else str(each.state),
            f"{each.busy_repls}/{each.repls}",
            str(each.in_flight),
            f"{each.operations_per_second:,.1f}",
            duration(each.uptime_seconds),
            Text(printable(each.metrics_url)),
        )
    if hidden := len(status.workers) - len(shown):
        table.add_row(Text(f"and {hidden} more (--json shows all)", style="dim"))
    return table


def duration(seconds: float) -> str:
    """In the unit that suits: 0.4 s, 12 s, 3 min, 5 h, 2 d."""
    if seconds < 10:  # noqa: PLR2004 - one digit
        return f"{seconds:.1f} s"
    for unit, name in ((1, "s"), (_MINUTE, "min"), (_HOUR, "h")):
        if seconds < _LONG * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / _DAY:.0f} d"
