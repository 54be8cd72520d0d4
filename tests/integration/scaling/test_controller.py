"""The controller over a real Valkey, with a cloud that can be made to fail and workers that say what they are told."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from producer.connection import open_redis
from producer.errors import BrokerUnavailableError
from producer.settings import Settings
from tests.integration.scaling.cloud import Cloud, Workers
from tests.integration.scaling.test_observer import CODE, enqueue
from tests.waiting import DEADLINE_SECONDS, until
from workers.scaling.controller import Controller, memory_key
from workers.scaling.fleet import LOST_SECONDS, NEVER_UP_SECONDS
from workers.scaling.leadership import Leadership, lease_key
from workers.scaling.observer import Observer
from workers.scaling.policy import PolicySettings
from workers.scaling.providers.provider import ProviderError, ThrottledError
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.snapshot import MachineState, Offer
from workers.telemetry import Usage, WorkerState, drain_key, order_drain

CHEAP = Offer(name="cheap", slots=8, price_per_hour=1, quota=10)
DEAR = Offer(name="dear", slots=8, price_per_hour=2, quota=10)
SLOW = PolicySettings(assumed_service_seconds=60.0, assumed_samples=1e9)  # 8 slots do 60 operations in time

MakeController = Callable[..., Controller]


# As long as one step may be after another and all of it counts as silence: see workers.scaling.fleet.
STEP_SECONDS = 2 * AutoscaleSettings().interval_seconds


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(CHEAP, DEAR)


@pytest.fixture
def workers(redis: Redis, settings: Settings) -> Workers:
    return Workers(redis, settings.queue)


@pytest.fixture
def make_controller(settings: Settings, redis: Redis, observer: Observer, cloud: Cloud, clock: Clock) -> MakeController:
    def make(*, policy: PolicySettings = SLOW, dry_run: bool = False, **fields: float) -> Controller:
        return Controller(
            provider=cloud,
            observer=observer,
            redis=redis,
            redis_url=settings.reply_url,
            queue=settings.queue,
            holder=uuid.uuid4().hex,
            settings=AutoscaleSettings(**fields),  # type: ignore[arg-type]
            policy=policy,
            dry_run=dry_run,
            clock=clock,
        )

    return make


@pytest.fixture
def controller(make_controller: MakeController) -> Controller:
    return make_controller()


async def settle(controller: Controller, clock: Clock, *, seconds: float = 60.0) -> None:
    """Let what an idle machine is held for pass, step by step."""
    for _ in range(7):
        clock.ahead += seconds / 6
        await controller.step()


async def test_from_nothing_it_launches_what_the_queue_needs(
    controller: Controller, cloud: Cloud, settings: Settings
) -> None:
    await enqueue(settings, *[CODE] * 300, at=time.time())
    step = await controller.step()
    assert step is not None
    assert cloud.launched == [("cheap", step.decision.launch["cheap"])]
    assert 4 <= step.decision.machines <= 7  # 300 minutes of work
    await controller.step()
    assert len(cloud.launched) == 1


async def test_warm_machines_are_told_from_booting_ones_and_protected(
    controller: Controller, cloud: Cloud, workers: Workers, settings: Settings
) -> None:
    await enqueue(settings, *[CODE] * 200, at=time.time())
    await controller.step()
    await workers.say("m1", in_flight=8)
    step = await controller.step()
    assert step is not None
    states = {machine.id: machine.state for machine in step.snapshot.machines}
    assert states.pop("m1") is MachineState.WARM
    assert set(states.values()) == {MachineState.BOOTING}
    assert set(cloud.protected) == set(cloud.machines)


async def test_an_idle_machine_is_drained_and_ended_only_after_it_said_that_it_holds_nothing(
    controller: Controller, cloud: Cloud, workers: Workers, clock: Clock
) -> None:
    await cloud.launch("cheap", 2)
    await workers.say("m1", "m2")
    await settle(controller, clock)
    assert await workers.are_ordered_to_drain("m1", "m2")
    assert cloud.terminated == []
    await workers.say("m1", state=WorkerState.DRAINING, in_flight=1)
    await workers.say("m2", state=WorkerState.DRAINED)
    await controller.step()
    assert cloud.terminated == ["m2"]
    await workers.say("m1", state=WorkerState.DRAINED)
    await controller.step()
    assert cloud.terminated == ["m2", "m1"]


async def test_an_order_to_drain_that_was_lost_is_given_again(
    controller: Controller, cloud: Cloud, workers: Workers, clock: Clock, redis: Redis
) -> None:
    await cloud.launch("cheap", 1)
    await workers.say("m1")
    await settle(controller, clock)
    await redis.delete(drain_key("m1"))  # with the broker's data, before the worker has asked
    await workers.say("m1")
    await controller.step()
    assert await workers.are_ordered_to_drain("m1")
    await redis.delete(drain_key("m1"))
    await workers.say("m1", state=WorkerState.DRAINING, in_flight=1)
    await controller.step()
    assert not await workers.are_ordered_to_drain("m1")  # it knows


async def test_when_one_offer_has_nothing_the_next_one_is_asked(
    controller: Controller, cloud: Cloud, settings: Settings, clock: Clock
) -> None:
    cloud.dry.add("cheap")
    await enqueue(settings, *[CODE] * 100, at=time.time())
    await controller.step()
    assert cloud.launched == []
    await controller.step()
    assert {offer for offer, _ in cloud.launched} == {"dear"}
    # After a while the cheap one is asked again.
    cloud.dry.clear()
    clock.ahead += 120
    await enqueue(settings, *[CODE] * 500, at=time.time() + clock.ahead)
    await controller.step()
    assert "cheap" in dict(cloud.launched)


async def test_an_offer_that_fails_later_is_left_for_the_next_one(
    controller: Controller, cloud: Cloud, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    await enqueue(settings, *[CODE] * 100, at=time.time())
    cloud.late_refusals["cheap"] = "InsufficientInstanceCapacity"
    step = await controller.step()
    assert step is not None
    assert set(step.decision.launch) == {"dear"}
    assert "offer cheap refused (InsufficientInstanceCapacity)" in caplog.text


async def test_errors_of_the_provider_stop_nothing(
    make_controller: MakeController, cloud: Cloud, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    controller = make_controller(interval_seconds=0.01)
    await enqueue(settings, *[CODE] * 100, at=time.time())
    cloud.error = ThrottledError("slow down")
    stop = asyncio.Event()
    task = asyncio.create_task(controller.run(stop))
    try:
        await until(lambda: "slow down" in caplog.text, "the error is logged")
        cloud.error = None
        await until(lambda: cloud.launched, "machines are launched after all")
    finally:
        stop.set()
        await task


async def test_a_failed_end_is_tried_again(
    controller: Controller, cloud: Cloud, workers: Workers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.launch("cheap", 1)
    await workers.say("m1")
    await settle(controller, clock)
    await workers.say("m1", state=WorkerState.DRAINED)

    async def refuse(_: object) -> None:
        raise ProviderError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(cloud, "terminate", refuse)
        await controller.step()
    assert cloud.terminated == []
    await controller.step()
    assert cloud.terminated == ["m1"]


async def test_only_one_of_two_leads_and_the_other_takes_over_with_what_was_known(
    make_controller: MakeController, cloud: Cloud, workers: Workers, settings: Settings, clock: Clock
) -> None:
    first, second = make_controller(), make_controller()
    await enqueue(settings, *[CODE] * 100, at=time.time())
    await first.step()
    assert cloud.stood_by == 0
    assert await second.step() is None
    assert cloud.stood_by == 1
    usage = {"run_code": Usage(completed=50, busy_seconds=3000.0, durations={40: 50})}
    await workers.say(*cloud.machines, in_flight=8, usage=usage, started_at=time.time() + 1)
    clock.ahead += 10
    before = await first.step()
    launched = list(cloud.launched)
    await workers.redis.delete(lease_key(settings.queue))  # as when the first has died and its lease has ended
    clock.ahead += 10
    after = await second.step()
    assert before is not None
    assert after is not None
    assert cloud.launched == launched
    assert after.snapshot.services["run_code"].completed == pytest.approx(
        before.snapshot.services["run_code"].completed, rel=0.05
    )
    assert after.snapshot.boot_seconds == before.snapshot.boot_seconds != 120
    assert await first.step() is None


async def test_who_leads_again_after_its_lease_had_ended_knows_what_was_done_meanwhile(
    make_controller: MakeController, cloud: Cloud, workers: Workers, settings: Settings
) -> None:
    first, second = make_controller(interval_seconds=0.01, lease_seconds=0.05), make_controller()
    await first.step()
    await until_free(workers.redis, settings.queue)
    await cloud.launch("cheap", 1)
    await workers.say("m1")
    await second.once()
    await workers.say("m1", preempted=True)
    await second.once()
    del cloud.machines["m1"]
    step = await first.step()
    assert step is not None
    assert step.snapshot.preemptions_per_machine_hour > 0


async def test_a_broker_that_lost_its_data_takes_none_of_the_leaders_knowledge_with_it(
    make_controller: MakeController, cloud: Cloud, workers: Workers, settings: Settings
) -> None:
    controller = make_controller(interval_seconds=0.01, lease_seconds=0.05)
    await cloud.launch("cheap", 1)
    await workers.say("m1")
    await controller.step()
    await until_free(workers.redis, settings.queue)
    await workers.redis.delete(memory_key(settings.queue))
    del cloud.machines["m1"]
    step = await controller.step()
    assert step is not None
    assert step.snapshot.preemptions_per_machine_hour > 0


async def until_free(redis: Redis, queue: str) -> None:
    """Until the lease has ended on the server."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await redis.exists(lease_key(queue)):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_who_ends_in_good_order_lets_the_next_one_begin_at_once(make_controller: MakeController) -> None:
    first, second = make_controller(), make_controller()
    await first.once()
    assert await second.step() is not None


async def test_a_leader_whose_lease_has_run_out_does_not_act(redis: Redis, settings: Settings) -> None:
    now = 100.0
    leadership = Leadership(redis, queue=settings.queue, holder="me", lease_seconds=10, clock=lambda: now)
    assert await leadership.hold()
    assert leadership.is_certain
    now = 110.0
    assert not leadership.is_certain


async def test_the_lease_ends_by_itself_on_the_server(redis: Redis, settings: Settings) -> None:
    short = Leadership(redis, queue=settings.queue, holder="dead", lease_seconds=0.05)
    other = Leadership(redis, queue=settings.queue, holder="me", lease_seconds=10)
    assert await short.hold()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await other.hold():  # noqa: ASYNC110 - it ends on the server, which tells nobody
            await asyncio.sleep(0.01)
    await short.release()
    assert await redis.get(lease_key(settings.queue)) == b"me"


async def test_when_no_worker_reports_nothing_is_done(
    controller: Controller, cloud: Cloud, workers: Workers, settings: Settings, clock: Clock
) -> None:
    await cloud.launch("cheap", 2)
    await workers.say("m1", "m2", in_flight=8)
    await controller.step()
    await workers.fall_silent("m1", "m2")
    await enqueue(settings, *[CODE] * 500, at=time.time())
    assert await controller.step() is None
    clock.ahead += LOST_SECONDS / 2
    assert await controller.step() is None
    assert cloud.launched == [("cheap", 2)]
    await workers.say("m1", "m2", in_flight=8)
    assert await controller.step() is not None


async def test_a_machine_that_fell_silent_is_replaced_and_later_ended(
    controller: Controller, cloud: Cloud, workers: Workers, settings: Settings, clock: Clock
) -> None:
    await cloud.launch("cheap", 2)
    await workers.say("m1", "m2", in_flight=8)
    await enqueue(settings, *[CODE] * 100, at=time.time())
    await controller.step()
    await workers.fall_silent("m1")
    while not cloud.terminated and clock.ahead < LOST_SECONDS:
        clock.ahead += STEP_SECONDS
        await workers.say("m2", in_flight=8)
        await controller.step()
    assert cloud.terminated == ["m1"]
    assert clock.ahead >= LOST_SECONDS


async def test_machines_that_never_come_up_do_not_get_bought_again_and_again(
    controller: Controller, cloud: Cloud, settings: Settings, clock: Clock
) -> None:
    await enqueue(settings, *[CODE] * 10, at=time.time())
    await controller.step()
    await controller.step()
    assert cloud.launched == [("cheap", 1)]
    while not cloud.terminated and clock.ahead < NEVER_UP_SECONDS + STEP_SECONDS:
        clock.ahead += STEP_SECONDS
        await controller.step()
    assert cloud.terminated == ["m1"]
    assert clock.ahead >= NEVER_UP_SECONDS
    assert cloud.launched == [("cheap", 1), ("dear", 1)]


async def test_a_dry_run_says_what_it_would_do_and_changes_nothing(
    make_controller: MakeController, cloud: Cloud, settings: Settings, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    leader, watcher = make_controller(), make_controller(dry_run=True)
    await leader.step()
    await enqueue(settings, *[CODE] * 100, at=time.time())
    caplog.set_level(logging.INFO)
    before = await redis.get(memory_key(settings.queue))
    step = await watcher.step()
    assert step is not None
    assert "would launch" in caplog.text
    assert "100 queued" in caplog.text
    assert cloud.launched == []
    assert await redis.get(memory_key(settings.queue)) == before


@pytest.mark.parametrize("junk", [b"{not json", b'{"memory": {"\xff": 1}}', b'{"fleet": ' + b"[" * 100_000])
async def test_what_cannot_be_read_from_the_last_controller_is_no_obstacle(
    controller: Controller, redis: Redis, settings: Settings, junk: bytes
) -> None:
    await redis.set(memory_key(settings.queue), junk)
    assert await controller.step() is not None


async def test_each_new_decision_is_logged_once_with_its_reasons(
    controller: Controller, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await enqueue(settings, *[CODE] * 100, at=time.time())
    for _ in range(4):
        await controller.step()
    decisions = [record.message for record in caplog.records if "slot-seconds" in record.message]
    assert len(decisions) == 2
    assert decisions[0].startswith("launch ")
    assert decisions[1].startswith("stay at ")


async def test_a_full_broker_gets_the_machines_that_empty_it(  # noqa: PLR0917 - fixtures
    make_controller: MakeController, cloud: Cloud, workers: Workers, settings: Settings, redis: Redis, clock: Clock
) -> None:
    await enqueue(settings, *[CODE] * 100, at=time.time())
    controller = make_controller()
    await redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(OutOfMemoryError):
            await redis.set("one more", 1)
        await controller.step()
        assert cloud.launched == [("cheap", 2)]
        await workers.say(*cloud.machines, in_flight=8)
        clock.ahead += 10
        step = await controller.step()
        assert step is not None
        assert [machine.state for machine in step.snapshot.machines] == [MachineState.WARM] * 2
        await order_drain(redis, "m1")
        assert await redis.exists(drain_key("m1"), memory_key(settings.queue), lease_key(settings.queue)) == 3
    finally:
        await redis.config_set("maxmemory", 0)


async def test_a_broker_that_is_away_is_told_as_such(settings: Settings, cloud: Cloud) -> None:
    away = Settings(broker_url="redis://127.0.0.1:9/0", queue=settings.queue)
    redis = open_redis(away.broker_url)
    controller = Controller(
        provider=cloud,
        observer=Observer(away, redis),
        redis=redis,
        redis_url=away.reply_url,
        queue=away.queue,
        holder="me",
        settings=AutoscaleSettings(),
        policy=SLOW,
    )
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:9"):
        await controller.step()
    await redis.aclose()
