"""What is seen of a real queue, with real messages of both ways in which they come."""

import time
import uuid

from celery import Celery
from redis.asyncio import Redis

from producer.envelope import CallHeader, task_message
from producer.lane import Lane
from producer.operation import RunCode, RunTactics
from producer.publisher import open_publisher
from producer.settings import Settings
from producer.state import CommandStep, SorryStep, StateRef
from tasks.redelivery.keys import QueueKeys
from workers.scaling.observer import NEIGHBOURS, SAMPLES, Observer, leases_key
from workers.telemetry import WorkerReport, WorkerState, publish, read_reports, withdraw

STATE = StateRef(steps=(CommandStep("example : True := by sorry"), SorryStep(0)))
CODE = RunCode(code='-- "task": "leanfleet.export_state", "enqueued_at": 1.0')
TACTICS = RunTactics(state=STATE, tactics=('"task": "leanfleet.import_state"',))


async def enqueue(settings: Settings, *operations: RunCode | RunTactics, at: float, lane: Lane | None = None) -> None:
    publisher = open_publisher(settings.broker_url)
    header = CallHeader(reply_to="me", enqueued_at=at)
    messages = [task_message(str(uuid.uuid4()), each, header, sent_by="test") for each in operations]
    await publisher.publish(lane or Lane(settings.queue, "bulk", "test"), messages)
    await publisher.close()


async def test_an_empty_queue_is_seen_as_one(observer: Observer) -> None:
    sight = await observer.look()
    assert (sight.queued, sight.in_flight, sight.samples, sight.reports) == (0, 0, (), ())


async def test_a_short_queue_is_seen_whole_oldest_first_and_texts_deceive_nobody(
    observer: Observer, settings: Settings
) -> None:
    now = time.time()
    await enqueue(settings, CODE, at=now - 100)
    await enqueue(settings, TACTICS, TACTICS, at=now - 50)
    sight = await observer.look()
    assert [each.kind for each in sight.samples] == ["run_code", "run_tactics", "run_tactics"]
    assert [each.place for each in sight.samples] == [0, 1, 2]
    assert [round(now - (each.enqueued_at or 0)) for each in sight.samples] == [100, 50, 50]


async def test_a_long_queue_is_sampled_evenly(observer: Observer, settings: Settings) -> None:
    now = time.time()
    for step in range(20):
        await enqueue(settings, *[CODE if step < 10 else TACTICS] * 100, at=now - 2000 + 100 * step)
    sight = await observer.look()
    assert sight.queued == 2000
    assert len(sight.samples) == SAMPLES * NEIGHBOURS
    places = [each.place for each in sight.samples]
    assert places == sorted(places)
    assert (places[0], places[NEIGHBOURS]) == (0, 250)
    assert sight.kinds(0, 1000) == {"run_code": 4 * NEIGHBOURS}
    assert sight.kinds(1000, 2000) == {"run_tactics": 4 * NEIGHBOURS}
    assert all(round(now - (each.enqueued_at or 0)) == 2000 - each.place // 100 * 100 for each in sight.samples)


async def test_places_are_those_in_which_lanes_take_turns(observer: Observer, settings: Settings) -> None:
    now = time.time()
    await enqueue(settings, *[CODE] * 3, at=now - 90, lane=Lane(settings.queue, "bulk", "a"))
    await enqueue(settings, TACTICS, at=now - 60, lane=Lane(settings.queue, "bulk", "b"))
    await enqueue(settings, TACTICS, TACTICS, at=now - 30, lane=Lane(settings.queue, "interactive", "a"))
    sight = await observer.look()
    assert (sight.queued, sight.interactive, sight.producers) == (6, 2, 3)
    assert [each.place for each in sight.samples] == [0, 1, 2, 3, 4, 5]
    assert [round(now - (each.enqueued_at or 0)) for each in sight.samples] == [30, 30, 90, 60, 90, 90]


async def test_many_long_lanes_are_sampled_in_bounds(observer: Observer, settings: Settings) -> None:
    for producer in range(100):
        lane = Lane(settings.queue, "bulk", str(producer))
        await enqueue(settings, *[CODE] * 20, at=time.time() - producer, lane=lane)
    sight = await observer.look()
    assert (sight.queued, sight.producers) == (2000, 100)
    assert 8 <= len(sight.samples) <= SAMPLES * NEIGHBOURS
    assert all(0 <= each.place < 2000 for each in sight.samples)


async def test_messages_of_celerys_own_api_are_counted_without_an_age(observer: Observer, settings: Settings) -> None:
    app = Celery(broker=settings.broker_url, set_as_current=False)
    app.send_task("leanfleet.run_code", kwargs={"code": "x"}, queue=settings.queue)
    app.close()
    [message] = (await observer.look()).samples
    assert (message.kind, message.enqueued_at) == ("run_code", None)


async def test_leases_are_looked_for_where_workers_keep_them(
    observer: Observer, settings: Settings, redis: Redis
) -> None:
    assert leases_key(settings.queue) == QueueKeys.of(settings.queue).leases
    await redis.zadd(leases_key(settings.queue), {"a": 1, "b": 2})
    assert (await observer.look()).in_flight == 2


async def test_only_reports_of_this_queue_that_were_not_forgotten_are_read(redis: Redis, settings: Settings) -> None:
    def report(name: str) -> WorkerReport:
        return WorkerReport(
            worker=name,
            machine=name,
            state=WorkerState.WARM,
            slots=1,
            warm_slots=1,
            in_flight=0,
            started_at=0.0,
        )

    for name in "abc":
        await publish(redis, settings.queue, report(name))
    await publish(redis, settings.queue + "-other", report("d"))
    await redis.delete(f"leanfleet:worker:{settings.queue}:a")
    await withdraw(redis, settings.queue, "b")
    await redis.set(f"leanfleet:worker:{settings.queue}:x", b'{"v": 99}')
    await redis.set(f"leanfleet:worker:{settings.queue}:y", b'{"worker": "\xff"}')
    await redis.sadd(f"leanfleet:workers:{settings.queue}", "x", "y", b"\xff")
    assert [each.worker for each in await read_reports(redis, settings.queue)] == ["c"]
    assert await redis.smembers(f"leanfleet:workers:{settings.queue}") == {b"c", b"x", b"y"}
