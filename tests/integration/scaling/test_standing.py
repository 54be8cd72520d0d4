"""A controller over machines that are not its own to start or end."""

import asyncio
import os
import subprocess
import sys
import time

import pytest
from redis.asyncio import Redis

from producer.settings import Settings
from tests.integration.scaling.cloud import Workers
from tests.integration.scaling.test_observer import CODE, enqueue
from workers.scaling.providers.provider import CapacityError
from workers.scaling.providers.standing import StandingProvider
from workers.scaling.service import open_provider
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.snapshot import Offer

OFFER = Offer(name="node", slots=8, price_per_hour=1.0, quota=10)


async def test_its_machines_are_those_that_report(redis: Redis, settings: Settings) -> None:
    provider = StandingProvider(redis, settings.queue, [OFFER])
    assert await provider.instances() == []
    workers = Workers(redis, settings.queue)
    await workers.say("b")
    await workers.say("a")
    assert [(each.id, each.offer) for each in await provider.instances()] == [("a", "node"), ("b", "node")]
    with pytest.raises(CapacityError):
        await provider.launch("node", 1)


async def test_a_dry_run_over_local_machines_sees_those_of_the_controller_beside_it(
    redis: Redis, settings: Settings
) -> None:
    await Workers(redis, settings.queue).say("local-1")
    async with open_provider(AutoscaleSettings(), redis, settings.queue, dry_run=True) as provider:
        assert [(each.id, each.offer) for each in await provider.instances()] == [("local-1", "local")]


async def test_it_only_says_what_it_would_do(redis: Redis, settings: Settings) -> None:
    await enqueue(settings, *[CODE] * 100_000, at=time.time() - 300)
    await Workers(redis, settings.queue).say("a")
    environ = {
        **os.environ,
        "LEANFLEET_BROKER_URL": settings.broker_url,
        "LEANFLEET_QUEUE": settings.queue,
        "LEANFLEET_AUTOSCALE_PROVIDER": "standing",
        "LEANFLEET_AUTOSCALE_METRICS_PORT": "0",
    }
    command = [sys.executable, "-m", "leanfleet", "autoscale", "--once"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, env=environ, check=True)
    assert "by standing, dry run" in done.stderr
    assert "would launch" in done.stderr
    assert "refused" not in done.stderr
