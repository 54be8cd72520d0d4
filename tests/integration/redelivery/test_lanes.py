"""Priorities and fair shares, on a real server and with real workers."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import kombu
import msgspec
import pytest
import redis

from producer.batch.batches import Batches
from producer.batch.snapshot import State
from producer.client import Client
from producer.envelope import CallHeader, TaskMessage, redis_envelope, task_message
from producer.errors import InvalidInputError
from producer.keys import REVOKED, producer_id
from producer.lane import Lane, Priority
from producer.operation import RunCode
from producer.publisher import PUBLISH, lane_entry, open_publisher
from producer.settings import Settings
from producer.sync import SyncClient
from tasks.redelivery.connection import LeaseConnection
from tasks.redelivery.dead import DeadLetter, dead_key
from tasks.redelivery.keeper import Keeper
from tasks.redelivery.keys import QueueKeys
from tasks.redelivery.scripts import BULK_EVERY, DROPPED_AT_ONCE, TAKE
from tests.integration.redelivery.conftest import StartMachine
from tests.integration.redelivery.test_transport import Taker
from tests.lanes import drained, lanes, waiting
from tests.waiting import DEADLINE_SECONDS, until, wait_until

Publish = Callable[[Priority, str, int], None]


def _message(name: str) -> TaskMessage:
    header = CallHeader(reply_to="nobody", enqueued_at=time.time())
    return task_message(name, RunCode(code="x"), header, sent_by="test")


def _names(messages: Iterator[bytes]) -> Iterator[str]:
    """Who sent each: ids are `producer-number`."""
    return (json.loads(message)["headers"]["id"].partition("-")[0] for message in messages)


@pytest.fixture
def publish(broker: redis.Redis, settings: Settings) -> Publish:
    numbers = itertools.count()

    def run(priority: Priority, producer: str, count: int) -> None:
        lane = Lane(settings.queue, priority, producer)
        entries = [lane_entry(_message(f"{producer}-{next(numbers)}"), lane.queue) for _ in range(count)]
        broker.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, producer, *entries)

    return run


@pytest.fixture
def taker(settings: Settings) -> Iterator[Taker]:
    with LeaseConnection(settings.broker_url) as connection:
        yield Taker(connection, settings.queue)


def _taken_by(taker: Taker, count: int) -> list[str]:
    """Take and acknowledge so many more, and say whose they were."""
    before = len(taker.messages)
    for taken in range(before, before + count):
        taker.take(taken + 1)
        taker.messages[taken].ack()
    return [message.headers["id"].partition("-")[0] for message in taker.messages[before:]]


def test_two_producers_take_turns_however_much_each_has_waiting(
    publish: Publish, taker: Taker, broker: redis.Redis, keys: QueueKeys
) -> None:
    publish("bulk", "large", 300)
    publish("bulk", "small", 5)
    assert _taken_by(taker, 15) == ["large", "small"] * 5 + ["large"] * 5
    assert broker.llen(keys.queue) == 290


def test_a_producer_that_comes_late_waits_for_one_turn_of_each_other(publish: Publish, taker: Taker) -> None:
    for producer in "abc":
        publish("bulk", producer, 50)
    assert _taken_by(taker, 2) == ["a", "b"]
    publish("bulk", "late", 1)
    assert _taken_by(taker, 5) == ["c", "a", "b", "late", "c"]


def test_one_that_sends_one_by_one_gets_no_more_than_its_turn(
    publish: Publish, broker: redis.Redis, settings: Settings
) -> None:
    publish("bulk", "large", 100)
    taking = _names(drained(broker, settings.queue))
    taken = []
    for _ in range(50):
        publish("bulk", "single", 1)
        taken += [next(taking), next(taking)]
    assert Counter(taken) == {"large": 50, "single": 50}


@pytest.fixture
def revoke(broker: redis.Redis) -> Iterator[Callable[..., None]]:
    """Ids of these tests are not unique, so nothing stays revoked."""
    revoked: list[str] = []

    def run(*ids: str) -> None:
        revoked.extend(ids)
        broker.zadd(REVOKED, dict.fromkeys(ids, time.time() + 3600))

    yield run
    if revoked:
        broker.zrem(REVOKED, *revoked)


def test_what_was_given_up_is_dropped_with_its_tickets_and_no_worker_sees_it(
    publish: Publish, revoke: Callable[..., None], taker: Taker, broker: redis.Redis, keys: QueueKeys
) -> None:
    publish("bulk", "a", 40)  # a-0 … a-39
    publish("bulk", "b", 2)
    revoke(*(f"a-{number}" for number in range(1, 39)))
    assert _taken_by(taker, 2) == ["a", "b"]
    assert _taken_by(taker, 1) == ["a"]
    assert [message.headers["id"] for message in taker.messages] == ["a-0", "b-40", "a-39"]
    assert (broker.llen(keys.queue), len(waiting(broker, keys.queue))) == (1, 1)


def test_where_all_was_given_up_a_ticket_finds_nothing_and_leaves_nothing(
    publish: Publish, revoke: Callable[..., None], broker: redis.Redis, keys: QueueKeys
) -> None:
    publish("interactive", "a", 3)
    publish("bulk", "b", 3)
    revoke(*(f"{'a' if number < 3 else 'b'}-{number}" for number in range(6)))
    assert take_ticket(broker, keys) == [None, None, None, 6]
    assert not broker.exists(keys.queue, keys.interactive, keys.bulk)


def test_what_celery_sent_keeps_its_place_when_others_messages_are_dropped(
    publish: Publish, revoke: Callable[..., None], broker: redis.Redis, keys: QueueKeys
) -> None:
    publish("bulk", "a", 3)
    whole = redis_envelope(_message("whole-0"), keys.queue)
    broker.lpush(keys.queue, whole)
    revoke("a-0", "a-1")
    assert take_ticket(broker, keys) is not None
    assert broker.lrange(keys.queue, 0, -1) == [whole]


def test_one_step_drops_no_more_than_others_can_wait_for(
    publish: Publish, revoke: Callable[..., None], broker: redis.Redis, keys: QueueKeys
) -> None:
    publish("bulk", "a", DROPPED_AT_ONCE + 10)
    revoke(*(f"a-{number}" for number in range(DROPPED_AT_ONCE + 10)))
    took = take_ticket(broker, keys)
    assert json.loads(took[2])["headers"]["id"] == f"a-{DROPPED_AT_ONCE}"
    assert broker.llen(keys.queue) == len(waiting(broker, keys.queue)) == 9


def test_a_producer_that_writes_nonsense_costs_nobody_a_message(
    publish: Publish, broker: redis.Redis, keys: QueueKeys
) -> None:
    """A lane that is no list, and revocations that are no sorted set."""
    publish("bulk", "hostile", 1)
    publish("bulk", "other", 1)
    lane = Lane(keys.queue, "bulk", "hostile").key
    broker.delete(lane)
    broker.set(lane, "nonsense")
    broker.delete(keys.queue)
    Keeper(lease_seconds=60, max_lease_seconds=60).sweep(keys, broker)
    assert broker.llen(keys.queue) == 1
    revoked = broker.dump(REVOKED)
    broker.set(REVOKED, "nonsense")
    try:
        took = take_ticket(broker, keys)
        assert json.loads(took[2])["headers"]["id"].startswith("other-")
    finally:
        broker.delete(REVOKED, lane)
        if revoked:
            broker.restore(REVOKED, 0, revoked)
    assert not broker.exists(keys.queue, keys.bulk)


def take_ticket(broker: redis.Redis, keys: QueueKeys) -> Any:
    taken = keys.taken("me")
    assert broker.lmove(keys.queue, taken, "RIGHT", "LEFT") == b""
    names = (taken, keys.leased, keys.leases, keys.losses, keys.queue, keys.interactive, keys.bulk, keys.turns)
    return broker.eval(TAKE, 8, *names, "")


async def test_what_waits_of_a_cancelled_batch_leaves_the_queue_and_nothing_else_does(
    publish: Publish, settings: Settings, broker: redis.Redis, keys: QueueKeys, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(settings, store_url=tmp_path.as_uri())
    publish("bulk", "other", 2)
    async with Batches(settings) as batches:
        batch = await batches.submit([{"id": str(number), "code": f"-- {number}"} for number in range(5)])
        assert broker.llen(keys.queue) == 7
        await batches.cancel(batch.id)
        assert broker.llen(keys.queue) == len(waiting(broker, keys.queue)) == 2
        await batches.rerun(batch.id)
        assert broker.llen(keys.queue) == len(waiting(broker, keys.queue)) == 7
    names = {name.rpartition(".")[0] or name for name in _names(drained(broker, keys.queue))}
    assert names == {"other", *(f"{batch.id}.2.{place}" for place in range(5))}


async def test_a_batch_that_another_store_has_in_the_queue_is_one_of_its_own(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, tmp_path: Path
) -> None:
    stores = [msgspec.structs.replace(settings, store_url=(tmp_path / name).as_uri()) for name in ("emptied", "new")]
    async with Batches(stores[0]) as emptied, Batches(stores[1]) as new:
        for count, batches in enumerate((emptied, new), start=1):
            submission = await batches.submit([{"id": "other stores", "code": "-- the same"}])
            assert submission.is_new
            assert broker.llen(keys.queue) == count
        assert len({json.loads(entry)["headers"]["id"] for entry in waiting(broker, keys.queue)}) == 2
        await emptied.cancel(submission.id)
        assert broker.llen(keys.queue) == len(waiting(broker, keys.queue)) == 1
        assert (await new.status(submission.id)).state is State.RUNNING


def test_order_is_kept_within_a_lane(publish: Publish, broker: redis.Redis, settings: Settings) -> None:
    publish("bulk", "a", 1500)  # more than one command's arguments
    publish("bulk", "b", 3)
    ids = [json.loads(message)["headers"]["id"] for message in drained(broker, settings.queue)]
    numbers = [int(each.partition("-")[2]) for each in ids if each.startswith("a-")]
    assert numbers == sorted(numbers)
    assert len(ids) == 1503


def test_interactive_goes_first_and_bulk_never_starves(publish: Publish, taker: Taker) -> None:
    publish("bulk", "bulk", 20)
    publish("interactive", "human", 100)
    taken = _taken_by(taker, 10 * BULK_EVERY)
    assert taken[0] == "human"
    for start in range(0, len(taken), BULK_EVERY):
        assert Counter(taken[start : start + BULK_EVERY]) == {"human": BULK_EVERY - 1, "bulk": 1}


def test_the_queue_is_as_long_as_what_waits_from_beginning_to_end(
    publish: Publish, taker: Taker, broker: redis.Redis, keys: QueueKeys, settings: Settings
) -> None:
    publish("bulk", "a", 7)
    publish("interactive", "b", 3)
    broker.lpush(keys.queue, redis_envelope(_message("plain-0"), settings.queue))
    for taken in range(11):
        taker.take(taken)
        assert broker.llen(keys.queue) == len(waiting(broker, settings.queue)) == 11 - taken
        if taken:
            taker.messages[-1].ack()
    taker.take(11)
    taker.messages[-1].ack()
    assert not broker.exists(keys.queue, keys.interactive, keys.bulk, keys.leased, keys.leases, keys.losses)


def test_messages_without_a_lane_share_as_one_more_producer_and_keep_their_order(
    publish: Publish, taker: Taker, broker: redis.Redis, settings: Settings
) -> None:
    for number in range(50):
        broker.lpush(settings.queue, redis_envelope(_message(f"plain-{number}"), settings.queue))
    publish("bulk", "late", 5)
    publish("interactive", "human", 2)
    taken = _taken_by(taker, 57)
    assert taken[:2] == ["human", "human"]
    assert Counter(taken[2:12]) == {"late": 5, "plain": 5}
    ids = [message.headers["id"] for message in taker.messages]
    assert [each for each in ids if each.startswith("plain")] == [f"plain-{number}" for number in range(50)]


def test_messages_without_a_lane_do_not_starve_behind_interactive_calls(
    publish: Publish, taker: Taker, broker: redis.Redis, settings: Settings
) -> None:
    publish("interactive", "human", 200)
    for number in range(10):
        broker.lpush(settings.queue, redis_envelope(_message(f"plain-{number}"), settings.queue))
    taken = _taken_by(taker, 210)
    assert Counter(taken) == {"human": 200, "plain": 10}


@pytest.mark.parametrize("has_lane", [True, False])
def test_what_is_handed_back_has_waited_for_its_turn(
    publish: Publish, taker: Taker, broker: redis.Redis, settings: Settings, *, has_lane: bool
) -> None:
    if has_lane:
        publish("bulk", "first", 1)
    else:
        broker.lpush(settings.queue, redis_envelope(_message("first-0"), settings.queue))
    taker.take(1)
    publish("interactive", "human", 5)
    taker.messages[0].reject(requeue=True)
    taker.take(2)
    assert taker.messages[1].headers["id"] == taker.messages[0].headers["id"]


def test_who_loses_its_tickets_is_told_again(
    publish: Publish, taker: Taker, broker: redis.Redis, keys: QueueKeys, caplog: pytest.LogCaptureFixture
) -> None:
    publish("bulk", "a", 3)
    publish("interactive", "b", 2)
    broker.delete(keys.queue)
    keeper = Keeper(lease_seconds=60, max_lease_seconds=60)
    keeper.sweep(keys, broker)
    assert broker.llen(keys.queue) == 5
    assert "5 operations of queue" in caplog.text
    keeper.sweep(keys, broker)
    assert broker.llen(keys.queue) == 5
    assert sorted(_taken_by(taker, 5)) == ["a", "a", "a", "b", "b"]


def test_a_ticket_too_many_is_passed_over(publish: Publish, taker: Taker, broker: redis.Redis, keys: QueueKeys) -> None:
    broker.lpush(keys.queue, b"", b"")
    publish("bulk", "a", 1)
    taker.take(1)
    taker.messages[0].ack()
    broker.lpush(keys.queue, b"")
    publish("bulk", "a", 1)
    taker.take(2)
    assert not broker.exists(keys.bulk)


def test_a_second_ticket_in_a_consumers_hands_goes_back(
    publish: Publish, taker: Taker, broker: redis.Redis, keys: QueueKeys
) -> None:
    """The answer to an earlier BLMOVE was lost with its connection."""
    publish("bulk", "a", 2)
    broker.lmove(keys.queue, taker.channel.taken, "RIGHT", "LEFT")
    taker.take(1)
    assert not broker.exists(taker.channel.taken)
    taker.take(2)
    assert len({message.headers["id"] for message in taker.messages}) == 2


@pytest.mark.parametrize("entry", [b"no message", b"0123456789abcdef {}", b"junk", b'tag00000 {"body": 1}'])
def test_what_is_no_message_in_a_lane_becomes_a_dead_letter(
    publish: Publish, taker: Taker, broker: redis.Redis, keys: QueueKeys, entry: bytes
) -> None:
    lane = Lane(keys.queue, "bulk", "bad")
    broker.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, "bad", entry)
    publish("bulk", "good", 1)
    taker.take(1)
    assert taker.messages[0].headers["id"].startswith("good")
    (letter,) = broker.lrange(dead_key(keys.queue), 0, -1)
    assert msgspec.json.decode(letter, type=DeadLetter).raw
    taker.messages[0].ack()
    assert not broker.exists(keys.leased, keys.leases, keys.losses, keys.bulk, keys.queue)


def test_a_producer_named_as_another_key_reads_nothing_of_it(
    taker: Taker, publish: Publish, broker: redis.Redis, keys: QueueKeys
) -> None:
    """Whoever may publish may write into the ring."""
    broker.rpush("leanfleet:reply:somebody", b"secret")
    broker.rpush(keys.bulk, b"leanfleet:reply:somebody")
    broker.lpush(keys.queue, b"")
    publish("bulk", "a", 1)
    taker.take(1)
    assert broker.lrange("leanfleet:reply:somebody", 0, -1) == [b"secret"]


def test_a_purge_empties_lanes(publish: Publish, broker: redis.Redis, settings: Settings) -> None:
    publish("bulk", "a", 3)
    publish("interactive", "b", 2)
    with LeaseConnection(settings.broker_url) as connection:
        channel: Any = connection.default_channel
        assert kombu.Queue(settings.queue, channel=channel).purge() == 5
    assert not broker.keys(f"*{settings.queue}*")


async def test_the_backlog_of_a_lane_is_its_own(settings: Settings) -> None:
    publisher = open_publisher(settings.broker_url)
    mine, other = Lane(settings.queue, "bulk", "mine"), Lane(settings.queue, "bulk", "other")
    await publisher.publish(other, [_message(f"other-{number}") for number in range(2500)])
    await publisher.publish(mine, [_message("mine-0")])
    assert (await publisher.backlog(mine), await publisher.backlog(other)) == (1, 2500)
    await publisher.close()


async def test_calls_wait_at_the_level_that_was_asked_for(
    settings: Settings, broker: redis.Redis, keys: QueueKeys
) -> None:
    operation = RunCode(code="x")
    async with Client(settings) as fleet:
        calls = [fleet.submit(operation), fleet.submit(operation, priority="bulk")]
        stream = fleet.stream([operation] * 3)
        streaming = asyncio.ensure_future(anext(stream))
        await until(lambda: broker.llen(keys.queue) == 5, "all is published")
        found = {key: len(messages) for key, messages in lanes(broker, settings.queue).items()}
        assert found == {
            Lane(settings.queue, "interactive", fleet.id).key: 1,
            Lane(settings.queue, "bulk", fleet.id).key: 4,
        }
        streaming.cancel()
        for call in calls:
            call.cancel()


async def test_settings_say_otherwise(settings: Settings, broker: redis.Redis, keys: QueueKeys) -> None:
    shared = msgspec.structs.replace(settings, priority="bulk", producer="run-17")
    async with Client(shared) as first, Client(shared) as second:
        calls = [client.submit(RunCode(code="x")) for client in (first, second)]
        await until(lambda: broker.llen(keys.queue) == 2, "both are published")
        assert {key: len(messages) for key, messages in lanes(broker, settings.queue).items()} == {
            Lane(settings.queue, "bulk", producer_id("", "run-17")).key: 2
        }
        for call in calls:
            call.cancel()


async def test_each_batch_has_a_lane_in_bulk_unless_it_is_said_otherwise(
    settings: Settings, broker: redis.Redis, tmp_path: Any
) -> None:
    stored = msgspec.structs.replace(settings, store_url=f"file://{tmp_path}")
    async with Batches(stored) as batches:
        first = await batches.submit([{"id": "a", "code": "example : True := trivial"}])
        second = await batches.submit(
            [{"id": name, "code": "example : True := trivial"} for name in "bc"], priority="interactive"
        )
    assert {unmarked(key): len(messages) for key, messages in lanes(broker, settings.queue).items()} == {
        Lane(settings.queue, "bulk", f"batch-{first.id}").key: 1,
        Lane(settings.queue, "interactive", f"batch-{second.id}").key: 2,
    }


def unmarked(key: str) -> str:
    """Without what each attempt of a batch has of its own."""
    return key.rpartition("-")[0]


def test_the_command_line_says_a_batchs_priority(settings: Settings, broker: redis.Redis, tmp_path: Path) -> None:
    (tmp_path / "proofs.jsonl").write_text('{"id": "a", "code": "example : True := trivial"}\n', encoding="utf-8")
    ours = {"BROKER_URL": settings.broker_url, "QUEUE": settings.queue, "STORE_URL": (tmp_path / "store").as_uri()}
    environ = {**os.environ, **{f"LEANFLEET_{name}": value for name, value in ours.items()}}

    def submit(priority: str) -> subprocess.CompletedProcess[str]:
        arguments = ["batch", "submit", "proofs.jsonl", "--priority", priority]
        command = [sys.executable, "-m", "leanfleet", *arguments]
        return subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)

    refused = submit("high")
    assert refused.returncode == 2
    assert "interactive" in refused.stderr
    assert not broker.exists(settings.queue)
    submitted = submit("interactive")
    assert submitted.returncode == 0, submitted.stderr
    (key,) = lanes(broker, settings.queue)
    assert unmarked(key) == Lane(settings.queue, "interactive", f"batch-{submitted.stdout.strip()}").key


async def test_a_call_with_another_priority_is_refused(settings: Settings) -> None:
    async with Client(settings) as fleet:
        with pytest.raises(InvalidInputError, match="interactive, bulk"):
            fleet.submit(RunCode(code="x"), priority="high")  # type: ignore[call-overload] # what is tested
        assert fleet.in_flight == 0


def test_the_blocking_client_takes_priorities(settings: Settings, broker: redis.Redis, keys: QueueKeys) -> None:
    with SyncClient(settings) as fleet:
        fleet.submit(RunCode(code="x"), priority="bulk")
        wait_until(lambda: broker.llen(keys.queue) == 1, "it is published")
        assert list(lanes(broker, settings.queue)) == [Lane(settings.queue, "bulk", fleet.client.id).key]


async def test_workers_serve_a_small_stream_beside_a_large_one_and_calls_before_both(
    settings: Settings, start_machine: StartMachine, nothing_left: Callable[[], bool], broker: redis.Redis
) -> None:
    operations = [RunCode(code=f"%sleep 0.01\n%say {number}") for number in range(300)]
    done: list[str] = []
    async with Client(settings) as large, Client(settings) as small, Client(settings) as human:
        named = {
            "large": [large.submit(each, priority="bulk") for each in operations],
            "small": [small.submit(each, priority="bulk") for each in operations[:20]],
        }
        await until(lambda: len(waiting(broker, settings.queue)) == 320, "all is in the queue")
        named["human"] = [human.submit(each) for each in operations[:10]]
        await until(lambda: len(waiting(broker, settings.queue)) == 330, "all is in the queue")
        for name, calls in named.items():
            for call in calls:
                call.add_done_callback(lambda _, name=name: done.append(name))  # type: ignore[misc] # bound here
        start_machine(WORKER_SIZE="1", REDELIVERY_LEASE_SECONDS="60")  # lost by no stop of a busy machine
        results = await asyncio.wait_for(
            asyncio.gather(*itertools.chain.from_iterable(named.values())), DEADLINE_SECONDS
        )
    assert all(result.ok and result.attempt == 1 for result in results)
    # Clients hear of it one after the other, and a worker takes some operations ahead: exact orders are shown above.
    last = {name: len(done) - 1 - done[::-1].index(name) for name in named}
    assert last["human"] < last["small"] < last["large"]
    assert last["small"] < 150
    await until(nothing_left, "nothing is left")
    assert not lanes(broker, settings.queue)


async def test_what_waits_in_a_lane_can_be_withdrawn(
    settings: Settings, start_machine: StartMachine, nothing_left: Callable[[], bool], broker: redis.Redis
) -> None:
    async with Client(settings) as fleet:
        kept = fleet.submit(RunCode(code="%say kept"), priority="bulk")
        calls = [fleet.submit(RunCode(code="%hang"), priority="bulk") for _ in range(5)]
        await until(lambda: len(waiting(broker, settings.queue)) == 6, "all is in the queue")
        for call in calls:
            call.cancel()
        await until(lambda: broker.zcard("leanfleet:revoked") >= 5, "the fleet is told")
        start_machine(WORKER_SIZE="1")
        assert (await asyncio.wait_for(kept, DEADLINE_SECONDS)).ok
        await until(nothing_left, "nothing is left")


async def test_many_publishers_and_takers_at_once_keep_tickets_and_messages_even(
    settings: Settings, broker: redis.Redis, keys: QueueKeys
) -> None:
    publisher = open_publisher(settings.broker_url)
    total = 0

    async def send(number: int) -> None:
        lane = Lane(settings.queue, "interactive" if number % 2 else "bulk", str(number % 5))
        await publisher.publish(lane, [_message(f"{number}-{uuid.uuid4().hex}") for _ in range(number % 7 + 1)])

    async def take() -> int:
        return await asyncio.to_thread(lambda: len(list(itertools.islice(drained(broker, settings.queue), 20))))

    for _ in range(5):
        *_, taken = await asyncio.gather(*(send(number) for number in range(40)), take())
        total += sum(number % 7 + 1 for number in range(40)) - cast("int", taken)
        assert broker.llen(keys.queue) == len(waiting(broker, settings.queue)) == total
    await publisher.close()
