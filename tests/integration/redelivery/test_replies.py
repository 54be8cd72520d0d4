"""Storing a reply and ending its delivery's lease, in one step where both are on one server."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import msgspec
import pytest
import redis

from producer.connection import open_redis
from producer.envelope import BatchPlace, CallHeader
from producer.keys import OPEN, reply_key
from producer.settings import Settings
from tasks.redelivery.keys import QueueKeys
from tasks.redelivery.lease import Lease
from tasks.replies import ReplySender
from tests.waiting import DEADLINE_SECONDS, until


@pytest.fixture
async def sender(settings: Settings) -> AsyncIterator[ReplySender]:
    client = open_redis(settings.broker_url)
    async with ReplySender(client).running() as running:
        yield running
    await client.aclose()


def call(reply_to: str) -> CallHeader:
    return CallHeader(enqueued_at=0.0, reply_to=reply_to)


def leased(broker: redis.Redis, keys: QueueKeys, tag: str) -> Lease:
    broker.hset(keys.leased, tag, "message")
    broker.hset(keys.losses, tag, 1)
    broker.zadd(keys.leases, {tag: 1})
    return Lease(keys, tag, lambda: None)


def held(broker: redis.Redis, keys: QueueKeys) -> set[bytes | str]:
    """The tags that are leased, which are the same in all three places."""
    tags = set(broker.hkeys(keys.leased))
    assert tags == set(broker.hkeys(keys.losses)) == set(broker.zrange(keys.leases, 0, -1))
    return tags


async def test_a_lease_ends_with_its_reply_and_no_other_does(
    sender: ReplySender, broker: redis.Redis, keys: QueueKeys
) -> None:
    here, there = keys.queue + "-here", keys.queue + "-there"
    leases = {tag: leased(broker, keys, tag) for tag in ("first", "second", "third", "fourth")}
    ended = await asyncio.gather(
        sender.send(call(here), b"1", leases["first"]),
        sender.send(call(here), b"2", leases["second"]),
        sender.send(call(there), b"3", leases["third"]),
        sender.send(call(there), b"4"),
    )
    assert list(ended) == [True, True, True, False]
    assert broker.lrange(reply_key(here), 0, -1) == [b"1", b"2"]
    assert broker.lrange(reply_key(there), 0, -1) == [b"3", b"4"]
    assert broker.ttl(reply_key(here)) > 0
    assert held(broker, keys) == {b"fourth"}


async def test_a_full_server_takes_a_reply_in_its_messages_place_and_no_other(
    sender: ReplySender, broker: redis.Redis, keys: QueueKeys
) -> None:
    place = BatchPlace(id=keys.queue, attempt=1, place=7)
    answers = place.key
    broker.hset(answers, OPEN, "1")
    leases = [leased(broker, keys, tag) for tag in ("one", "two")]
    broker.config_resetstat()
    broker.config_set("maxmemory", 1)
    try:
        assert await sender.send(call(keys.queue), b"reply", leases[0])
        assert await sender.send(CallHeader(enqueued_at=0.0, batch=place), b"answer", leases[1])
        assert held(broker, keys) == set()
        sending = asyncio.create_task(sender.send(call(keys.queue), b"without"))
        await until(lambda: "errorstat_OOM" in broker.info("errorstats"), "the server refuses")
        assert broker.lrange(reply_key(keys.queue), 0, -1) == [b"reply"]
    finally:
        broker.config_set("maxmemory", 0)
    assert not await sending
    assert broker.lrange(reply_key(keys.queue), 0, -1) == [b"reply", b"without"]
    assert broker.hget(answers, "7") == b"answer"


async def test_what_a_full_server_refuses_has_nothing_else_wait_or_stored_again(
    sender: ReplySender, broker: redis.Redis, keys: QueueKeys
) -> None:
    here, there = keys.queue + "-here", keys.queue + "-there"
    lease = leased(broker, keys, "tag")
    broker.config_resetstat()
    broker.config_set("maxmemory", 1)
    try:
        without = asyncio.create_task(sender.send(call(there), b"without"))
        with_lease = asyncio.create_task(sender.send(call(here), b"with", lease))
        await asyncio.wait_for(with_lease, DEADLINE_SECONDS)
        await until(lambda: broker.info("errorstats")["errorstat_OOM"]["count"] >= 4, "it was tried again and again")
        assert broker.lrange(reply_key(here), 0, -1) == [b"with"]
    finally:
        broker.config_set("maxmemory", 0)
    await without
    assert broker.lrange(reply_key(there), 0, -1) == [b"without"]


async def test_a_reply_that_cannot_be_stored_for_ever_leaves_its_lease_to_its_worker(
    sender: ReplySender, broker: redis.Redis, keys: QueueKeys
) -> None:
    broker.set(reply_key(keys.queue), "no list")
    assert not await sender.send(call(keys.queue), b"reply", leased(broker, keys, "tag"))
    assert held(broker, keys) == {b"tag"}


async def test_a_batchs_first_answer_counts_and_every_lease_ends(
    sender: ReplySender, broker: redis.Redis, keys: QueueKeys
) -> None:
    place = BatchPlace(id=keys.queue, attempt=1, place=7)
    header = CallHeader(enqueued_at=0.0, batch=place)
    answers = place.key
    broker.hset(answers, OPEN, "1")
    assert await sender.send(header, b"first", leased(broker, keys, "one"))
    assert await sender.send(header, b"second", leased(broker, keys, "two"))
    assert broker.hget(answers, "7") == b"first"
    broker.delete(answers)
    assert await sender.send(header, b"late", leased(broker, keys, "three"))
    assert not broker.exists(answers)
    assert held(broker, keys) == set()


async def test_an_answer_to_a_batch_counts_only_from_who_knows_its_token(
    sender: ReplySender, broker: redis.Redis, keys: QueueKeys
) -> None:
    token = secrets.token_hex(16)
    place = BatchPlace(id=keys.queue, attempt=1, place=7, token=token)
    broker.hset(place.key, OPEN, "1")
    for number, guess in enumerate(("", "guessed", f"{token}:", token[:-1])):
        forged = CallHeader(enqueued_at=0.0, batch=msgspec.structs.replace(place, token=guess))
        await sender.send(forged, b"forged", leased(broker, keys, str(number)))
    assert broker.hgetall(place.key) == {OPEN.encode(): b"1"}
    await sender.send(CallHeader(enqueued_at=0.0, batch=place), b"true", leased(broker, keys, "last"))
    assert broker.hget(place.key, "7") == b"true"
    assert held(broker, keys) == set()
