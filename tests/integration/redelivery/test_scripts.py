"""The steps of a delivery, one by one, on a real server."""

from typing import Any, cast

import pytest
import redis

from producer.lane import Lane
from producer.publisher import PUBLISH
from tasks.redelivery import scripts
from tasks.redelivery.keys import QueueKeys
from tests.lanes import lanes

TAG = "0123456789abcdef"
MESSAGE = b'{"properties": {"delivery_tag": "0123456789abcdef"}}'
OTHER = b'{"properties": {"delivery_tag": "ffffffffffffffff"}}'


def take(broker: redis.Redis, keys: QueueKeys, taken: str) -> object:
    """Returns the losses that TAKE tells of, or None."""
    names = (taken, keys.leased, keys.leases, keys.losses, keys.queue, keys.interactive, keys.bulk, keys.turns)
    told: Any = broker.eval(scripts.TAKE, 8, *names, TAG)
    return None if told is None else told[0]


def take_ticket(broker: redis.Redis, keys: QueueKeys, taken: str) -> object:
    names = (taken, keys.leased, keys.leases, keys.losses, keys.queue, keys.interactive, keys.bulk, keys.turns)
    return broker.eval(scripts.TAKE, 8, *names, "")


def sweep(broker: redis.Redis, keys: QueueKeys, *, lease_ms: int, forget_ms: int = 10**9) -> object:
    names = (keys.leased, keys.leases, keys.losses, keys.consumers, keys.queue, keys.interactive, keys.bulk)
    return broker.eval(scripts.SWEEP, 7, *names, lease_ms, forget_ms, 100)


def test_what_is_taken_is_leased_and_nowhere_else(broker: redis.Redis, keys: QueueKeys) -> None:
    taken = keys.taken("me")
    broker.lpush(taken, MESSAGE)
    assert take(broker, keys, taken) == 0
    assert broker.hgetall(keys.leased) == {TAG.encode(): MESSAGE}
    assert broker.zcard(keys.leases) == 1
    assert not broker.exists(taken, keys.queue)


def test_what_was_given_to_others_meanwhile_is_not_taken(broker: redis.Redis, keys: QueueKeys) -> None:
    assert take(broker, keys, keys.taken("me")) is None
    assert not broker.exists(keys.leased, keys.leases)


def test_an_older_message_whose_answer_was_lost_goes_back(broker: redis.Redis, keys: QueueKeys) -> None:
    taken = keys.taken("me")
    broker.lpush(taken, OTHER)
    broker.lpush(taken, MESSAGE)
    assert take(broker, keys, taken) == 0
    assert broker.lrange(keys.queue, 0, -1) == [OTHER]
    assert broker.hgetall(keys.leased) == {TAG.encode(): MESSAGE}


def test_an_acknowledged_delivery_leaves_no_trace_and_cannot_be_renewed(broker: redis.Redis, keys: QueueKeys) -> None:
    taken = keys.taken("me")
    broker.lpush(taken, MESSAGE)
    take(broker, keys, taken)
    broker.hset(keys.losses, TAG, "2")
    assert broker.eval(scripts.ACK, 3, keys.leased, keys.leases, keys.losses, TAG) == 1
    broker.eval(scripts.RENEW, 2, keys.leases, keys.consumers, taken, TAG)
    assert not broker.exists(keys.leased, keys.leases, keys.losses, keys.queue, taken)


def hand_back(broker: redis.Redis, keys: QueueKeys, *, losses: int) -> object:
    return broker.eval(scripts.HAND_BACK, 4, keys.leased, keys.leases, keys.losses, keys.queue, TAG, losses)


def test_a_delivery_is_handed_back_once(broker: redis.Redis, keys: QueueKeys) -> None:
    taken = keys.taken("me")
    broker.rpush(keys.queue, OTHER)
    broker.lpush(taken, MESSAGE)
    take(broker, keys, taken)
    assert hand_back(broker, keys, losses=0) == 1
    assert hand_back(broker, keys, losses=0) == 0
    assert broker.lrange(keys.queue, 0, -1) == [OTHER, MESSAGE]  # the right end is taken from


def test_who_lost_a_lease_does_not_hand_back_what_another_holds(broker: redis.Redis, keys: QueueKeys) -> None:
    broker.lpush(keys.taken("frozen"), MESSAGE)
    take(broker, keys, keys.taken("frozen"))
    sweep(broker, keys, lease_ms=-1)
    broker.lmove(keys.queue, keys.taken("other"), "RIGHT", "LEFT")
    assert take(broker, keys, keys.taken("other")) == 1
    assert hand_back(broker, keys, losses=0) == 0
    assert broker.zcard(keys.leases) == 1
    assert hand_back(broker, keys, losses=1) == 1


def test_a_late_acknowledgement_of_what_is_back_in_the_queue_forgets_no_loss(
    broker: redis.Redis, keys: QueueKeys
) -> None:
    broker.lpush(keys.taken("frozen"), MESSAGE)
    take(broker, keys, keys.taken("frozen"))
    sweep(broker, keys, lease_ms=-1)
    assert broker.eval(scripts.ACK, 3, keys.leased, keys.leases, keys.losses, TAG) == 0
    assert broker.hget(keys.losses, TAG) == b"1"
    assert broker.lrange(keys.queue, 0, -1) == [MESSAGE]


def test_only_ended_leases_are_swept_and_each_loss_is_counted(broker: redis.Redis, keys: QueueKeys) -> None:
    taken = keys.taken("me")
    for losses in range(3):
        broker.lpush(taken, MESSAGE)
        assert take(broker, keys, taken) == losses
        assert sweep(broker, keys, lease_ms=60_000) == [0, 0, 0]
        assert sweep(broker, keys, lease_ms=-1) == [1, 0, 0]
        assert broker.lrange(keys.queue, 0, -1) == [MESSAGE]
        assert not broker.exists(keys.leased, keys.leases)
        broker.delete(keys.queue)


def test_what_a_silent_consumer_had_taken_is_saved_and_no_loss(broker: redis.Redis, keys: QueueKeys) -> None:
    taken = keys.taken("silent")
    broker.eval(scripts.REGISTER, 1, keys.consumers, taken)
    broker.lpush(taken, MESSAGE)
    assert sweep(broker, keys, lease_ms=60_000) == [0, 0, 0]
    assert sweep(broker, keys, lease_ms=-1) == [0, 1, 0]
    assert broker.lrange(keys.queue, 0, -1) == [MESSAGE]
    assert not broker.exists(keys.losses)


def test_what_was_taken_and_not_leased_goes_back_to_a_full_server(broker: redis.Redis, keys: QueueKeys) -> None:
    """By its consumer, which drains or has no REPL for it, and by the sweep for one that is gone."""
    gone, leaving = keys.taken("gone"), keys.taken("leaving")
    broker.eval(scripts.REGISTER, 1, keys.consumers, gone)
    broker.lpush(gone, MESSAGE)
    broker.lpush(leaving, OTHER)
    broker.config_set("maxmemory", 1)
    try:
        assert sweep(broker, keys, lease_ms=-1) == [0, 1, 0]
        assert broker.eval(scripts.UNTAKE, 3, leaving, keys.queue, keys.leases) == 1
    finally:
        broker.config_set("maxmemory", 0)
    assert broker.lrange(keys.queue, 0, -1) == [MESSAGE, OTHER]
    assert not broker.exists(gone, leaving)


def test_a_silent_consumer_is_looked_after_until_it_is_long_gone(broker: redis.Redis, keys: QueueKeys) -> None:
    """Frozen in the middle of a take and continued, it may be given a message after it was swept."""
    taken = keys.taken("silent")
    broker.eval(scripts.REGISTER, 1, keys.consumers, taken)
    assert sweep(broker, keys, lease_ms=-1) == [0, 0, 0]
    broker.lpush(taken, MESSAGE)
    assert sweep(broker, keys, lease_ms=-1) == [0, 1, 0]
    sweep(broker, keys, lease_ms=-1, forget_ms=-1)
    assert not broker.exists(keys.consumers)


def places(broker: redis.Redis, keys: QueueKeys, *others: str) -> list[bytes]:
    """All messages that wait or are held, wherever a key is of the right type."""
    found = [message for lane in lanes(broker, keys.queue).values() for message in lane]
    for key in (keys.queue, *others):
        if broker.type(key) == b"list":
            found += [entry for entry in cast("list[bytes]", broker.lrange(key, 0, -1)) if entry]
    if broker.type(keys.leased) == b"hash":
        found += cast("list[bytes]", broker.hvals(keys.leased))
    return found


@pytest.mark.parametrize("spoilt", ["leased", "leases", "losses"])
def test_a_key_of_another_type_costs_no_message_that_is_taken(
    broker: redis.Redis, keys: QueueKeys, spoilt: str
) -> None:
    whole, by_ticket = keys.taken("whole"), keys.taken("by ticket")
    lane = Lane(keys.queue, "bulk", "a")
    broker.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, "a", b"ffffffffffffffff %s" % OTHER)
    broker.lmove(keys.queue, by_ticket, "RIGHT", "LEFT")
    broker.lpush(whole, MESSAGE)
    broker.set(getattr(keys, spoilt), "nonsense")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        take(broker, keys, whole)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        take_ticket(broker, keys, by_ticket)
    assert sorted(places(broker, keys, whole)) == sorted([MESSAGE, OTHER])
    broker.delete(getattr(keys, spoilt))
    assert take_ticket(broker, keys, by_ticket) == [0, b"ffffffffffffffff", OTHER, 0]
    assert take(broker, keys, whole) == 0
    assert broker.hlen(keys.leased) == broker.zcard(keys.leases) == 2


@pytest.mark.parametrize("spoilt", ["leases", "losses", "queue"])
@pytest.mark.parametrize("step", ["hand back", "sweep"])
def test_a_key_of_another_type_costs_no_message_that_goes_back(
    broker: redis.Redis, keys: QueueKeys, spoilt: str, step: str
) -> None:
    broker.lpush(keys.taken("me"), MESSAGE)
    take(broker, keys, keys.taken("me"))
    key = getattr(keys, spoilt)
    kept = broker.dump(key)
    broker.delete(key)
    broker.set(key, "nonsense")
    for _ in range(2):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            hand_back(broker, keys, losses=0) if step == "hand back" else sweep(broker, keys, lease_ms=-1)
    assert places(broker, keys) == [MESSAGE]
    broker.delete(key)
    if kept is not None:
        broker.restore(key, 0, kept)
    sweep(broker, keys, lease_ms=-1)
    assert broker.lrange(keys.queue, 0, -1) == [MESSAGE]
    assert broker.hget(keys.losses, TAG) == b"1", "what did not go back is no loss"
    assert not broker.exists(keys.leased, keys.leases)


@pytest.mark.parametrize("spoilt", ["interactive", "bulk"])
def test_a_ring_of_another_type_costs_no_message_its_turn(broker: redis.Redis, keys: QueueKeys, spoilt: str) -> None:
    whole, by_ticket = keys.taken("whole"), keys.taken("by ticket")
    lane = Lane(keys.queue, "bulk", "a")
    broker.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, "a", b"ffffffffffffffff %s" % OTHER)
    broker.lmove(keys.queue, by_ticket, "RIGHT", "LEFT")
    broker.lpush(whole, MESSAGE)
    key = getattr(keys, spoilt)
    kept = broker.dump(key)
    broker.delete(key)
    broker.set(key, "nonsense")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        take(broker, keys, whole)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        take_ticket(broker, keys, by_ticket)
    broker.delete(key)
    if kept is not None:
        broker.restore(key, 0, kept)
    assert broker.lrange(whole, 0, -1) == [MESSAGE]
    assert broker.lrange(by_ticket, 0, -1) == [b""]
    assert take_ticket(broker, keys, by_ticket) == [0, b"ffffffffffffffff", OTHER, 0]
    assert take(broker, keys, whole) == 0
    assert not broker.exists(keys.queue, keys.interactive, keys.bulk)


def test_where_the_lane_of_celerys_messages_is_none_they_are_leased_as_they_are(
    broker: redis.Redis, keys: QueueKeys
) -> None:
    lane = Lane(keys.queue, "bulk", "a")
    broker.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, "a", b"ffffffffffffffff %s" % OTHER)
    broker.set(f"{keys.bulk}:{scripts.PLAIN_PRODUCER}", "nonsense")
    broker.lpush(keys.taken("me"), MESSAGE)
    assert take(broker, keys, keys.taken("me")) == 0
    assert broker.hgetall(keys.leased) == {TAG.encode(): MESSAGE}
    broker.delete(f"{keys.bulk}:{scripts.PLAIN_PRODUCER}", lane.key, lane.ring)
