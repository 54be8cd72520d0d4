"""The controller as a process: its connections, its provider, its metrics, and a good end."""

import asyncio
import contextlib
import logging
import os
import platform
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from prometheus_client import start_http_server
from redis.asyncio import Redis

from producer.connection import open_redis
from producer.errors import SettingsError
from producer.settings import Settings, load_section, without_password
from workers.guard import Guard
from workers.scaling.cloudwatch import CloudWatch
from workers.scaling.controller import Controller
from workers.scaling.metrics import Metrics
from workers.scaling.observer import Observer
from workers.scaling.policy import PolicySettings
from workers.scaling.providers.aws import AwsProvider
from workers.scaling.providers.gcp import GcpProvider
from workers.scaling.providers.local import LocalProvider
from workers.scaling.providers.process import WorkerProcess
from workers.scaling.providers.provider import Provider
from workers.scaling.providers.standing import StandingProvider
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.snapshot import Offer
from workers.settings import usable_cores

logger = logging.getLogger(__name__)


def run_controller(settings: Settings, *, dry_run: bool = False, once: bool = False) -> None:
    """Run until SIGTERM or Ctrl-C, or for one step.

    Raises:
        SettingsError: something is set wrongly, or the metrics' port is taken.
        BrokerUnavailableError, ProviderError: the one step could not be done.
    """
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(
            _run(
                settings,
                load_section("autoscale", AutoscaleSettings),
                load_section("policy", PolicySettings),
                dry_run=dry_run,
                once=once,
            )
        )


async def _run(
    settings: Settings, autoscale: AutoscaleSettings, policy: PolicySettings, *, dry_run: bool, once: bool
) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    holder = f"{platform.node()}:{os.getpid()}:{secrets.token_hex(3)}"
    async with contextlib.AsyncExitStack() as stack:
        redis = open_redis(settings.reply_url)
        stack.push_async_callback(redis.aclose)
        observer = Observer(settings, redis)
        stack.push_async_callback(observer.close)
        provider = await stack.enter_async_context(open_provider(autoscale, redis, settings.queue, dry_run=dry_run))
        # Machines that somebody else starts are somebody else's to drain, too.
        dry_run = dry_run or isinstance(provider, StandingProvider)
        metrics = stack.enter_context(_metrics(autoscale))
        if autoscale.provider == "aws" and autoscale.aws.metrics_namespace and not dry_run:
            await stack.enter_async_context(_telling_cloudwatch(autoscale, metrics, settings.queue))
        controller = Controller(
            provider=provider,
            observer=observer,
            redis=redis,
            redis_url=settings.reply_url,
            queue=settings.queue,
            holder=holder,
            settings=autoscale,
            policy=policy,
            dry_run=dry_run,
            metrics=metrics,
        )
        logger.info(
            "scaling queue %s at %s by %s%s",
            settings.queue,
            without_password(settings.broker_url),
            autoscale.provider,
            ", dry run" if dry_run else "",
        )
        await (controller.once() if once else controller.run(stop))


def _stop_on_signals(stop: asyncio.Event) -> None:
    """The first one lets the step end that is under way, a second one does not."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)


@contextmanager
def _metrics(settings: AutoscaleSettings) -> Iterator[Metrics]:
    metrics = Metrics()
    if not settings.metrics_port:
        yield metrics
        return
    address = f"{settings.metrics_address}:{settings.metrics_port}"
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_address, metrics.registry)
    except OSError as error:
        raise SettingsError(
            f"metrics cannot be served at {address} ({error.strerror}): set metrics_port in [autoscale], 0 for none"
        ) from error
    logger.info("metrics at http://%s/metrics", address)
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def _telling_cloudwatch(settings: AutoscaleSettings, metrics: Metrics, queue: str) -> AsyncIterator[None]:
    cloudwatch = CloudWatch(settings.aws, metrics, queue)
    task = asyncio.create_task(cloudwatch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await cloudwatch.close()


@asynccontextmanager
async def open_provider(
    settings: AutoscaleSettings, redis: Redis, queue: str, *, dry_run: bool = False
) -> AsyncIterator[Provider]:
    """The provider that the settings name; closed in the end. Raises SettingsError where something is missing.

    With `dry_run` the local machines are those that report: another process's are not to be seen otherwise.
    """
    offers = [
        Offer(name=each.name, slots=each.slots, price_per_hour=each.price_per_hour, quota=each.quota)
        for each in settings.offers
    ]
    if settings.provider == "local":
        # Machines of one slot, one for each core, where nothing else is said.
        offers = offers or [Offer(name="local", slots=1, price_per_hour=1.0, quota=usable_cores())]
        if dry_run:
            yield StandingProvider(redis, queue, offers)
            return
        async with _open_local(settings, offers) as local:
            yield local
        return
    if settings.provider == "standing":
        yield StandingProvider(
            redis, queue, offers or [Offer(name="standing", slots=1, price_per_hour=1.0, quota=1000)]
        )
        return
    if not offers:
        raise SettingsError("say what machines there are: [[autoscale.offers]] with name, slots and price_per_hour")
    provider: Provider = (
        AwsProvider(settings.aws, offers) if settings.provider == "aws" else GcpProvider(settings.gcp, offers)
    )
    try:
        yield provider
    finally:
        await provider.close()


@asynccontextmanager
async def _open_local(settings: AutoscaleSettings, offers: list[Offer]) -> AsyncIterator[LocalProvider]:
    with tempfile.TemporaryDirectory(prefix="leanfleet-machines-") as temporary, Guard() as guard:
        directory = Path(settings.local.directory or temporary)
        _make(directory)
        async with LocalProvider(
            lambda machine_id, offer: WorkerProcess(machine_id, slots=offer.slots, guard=guard, directory=directory),
            offers,
            boot_seconds=lambda: settings.local.boot_seconds,
        ) as provider:
            yield provider


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make {directory}: {error.strerror}") from error
