"""What is seen of a real RabbitMQ's queue, and what a controller makes of the little that it tells."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import amqp
import pytest
from redis.asyncio import Redis

from producer.connection import open_redis
from producer.errors import BrokerUnavailableError
from producer.settings import Settings
from tasks.stack.ports import HOST, free_port
from tasks.stack.valkey import Valkey
from tests.certificates import Certificates
from tests.chaos.proxy import Proxy
from tests.integration.scaling.cloud import Cloud, Workers
from tests.integration.scaling.test_observer import CODE, enqueue
from tests.rabbitmq import RabbitMQ
from tests.waiting import DEADLINE_SECONDS
from workers.scaling.controller import Controller
from workers.scaling.observer import Observer
from workers.scaling.policy import PolicySettings
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.snapshot import Offer

OFFER = Offer(name="spot", slots=8, price_per_hour=1, quota=10)
# 8 slots do 60 operations in ten minutes.
SLOW = PolicySettings(assumed_service_seconds=60.0, assumed_samples=1e9)


@pytest.fixture
def settings(rabbitmq: RabbitMQ, valkey: Valkey) -> Settings:
    return Settings(broker_url=rabbitmq.url, result_url=valkey.url, queue=f"scaling-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    client = open_redis(settings.reply_url)
    yield client
    await client.aclose()


@pytest.fixture
async def observer(settings: Settings, redis: Redis) -> AsyncIterator[Observer]:
    opened = Observer(settings, redis)
    yield opened
    await opened.close()


async def test_a_queue_that_nobody_made_yet_is_empty(observer: Observer) -> None:
    sight = await observer.look()
    assert (sight.queued, sight.in_flight, sight.samples) == (0, None, ())


async def test_what_waits_is_counted_and_what_a_worker_holds_is_not(
    observer: Observer, settings: Settings, rabbitmq: RabbitMQ
) -> None:
    await enqueue(settings, *[CODE] * 5, at=time.time())
    assert (await observer.look()).queued == 5
    with amqp.Connection(f"{HOST}:{rabbitmq.port}") as connection:
        assert connection.channel().basic_get(settings.queue) is not None
        assert (await observer.look()).queued == 4
    # With its connection the worker is gone, and what it held waits again.
    async with asyncio.timeout(DEADLINE_SECONDS):  # a moment after that
        while (await observer.look()).queued != 5:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)


async def test_a_broker_that_is_away_or_refuses_us_is_said_to_be_without_its_password(
    settings: Settings, redis: Redis, rabbitmq: RabbitMQ
) -> None:
    for url in (f"amqp://guest:hush@{HOST}:{free_port()}//", f"amqp://guest:hush@{HOST}:{rabbitmq.port}//"):
        observer = Observer(Settings(broker_url=url, result_url=settings.result_url, queue=settings.queue), redis)
        with pytest.raises(BrokerUnavailableError) as caught:
            await observer.look()
        await observer.close()
        assert "hush" not in caught.value.message


async def test_each_node_of_a_cluster_is_checked_against_its_own_certificate(
    settings: Settings, redis: Redis, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    certificates = Certificates.make(tmp_path)
    async with Proxy(rabbitmq.port, tls=certificates.context()) as proxy:
        gone = f"amqps://guest:guest@localhost:{free_port()}//"  # of another name than the one that answers
        url = f"{gone};amqps://guest:guest@{HOST}:{proxy.port}//?ssl_ca_certs={certificates.authority}"
        observer = Observer(Settings(broker_url=url, result_url=settings.result_url, queue=settings.queue), redis)
        assert (await observer.look()).queued == 0
        await observer.close()


async def test_a_controller_sizes_the_fleet_by_a_rabbitmq(settings: Settings, redis: Redis, observer: Observer) -> None:
    cloud, workers, now = Cloud(OFFER), Workers(redis, settings.queue), [time.time()]
    controller = Controller(
        provider=cloud,
        observer=observer,
        redis=redis,
        redis_url=settings.reply_url,
        queue=settings.queue,
        holder="one",
        settings=AutoscaleSettings(),
        policy=SLOW,
        clock=lambda: now[0],
    )
    await controller.step()
    await enqueue(settings, *[CODE] * 300, at=time.time())
    now[0] += 10
    step = await controller.step()
    assert step is not None
    assert 4 <= step.decision.machines <= 7  # 300 minutes of work
    assert step.snapshot.queued == 300
    assert max(cohort.age_seconds for cohort in step.snapshot.queue) <= 10

    # It tells no ages: those are known from when the arrivals were seen. In flight is what workers report.
    machines = [each.id for each in await cloud.instances()]
    await workers.say(*machines, in_flight=8)
    now[0] += 120
    step = await controller.step()
    assert step is not None
    assert step.snapshot.in_flight == 8 * len(machines)
    assert 110 <= max(cohort.age_seconds for cohort in step.snapshot.queue) <= 150
