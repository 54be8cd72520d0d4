"""Any order of the protocol's steps, with workers that die and servers that restart, on the real scripts."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any, cast

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from producer.keys import REVOKED
from producer.lane import PRIORITIES, Lane, Priority
from producer.publisher import PUBLISH
from tasks.redelivery import scripts
from tasks.redelivery.keys import QueueKeys
from tasks.stack.valkey import Valkey
from tests.lanes import lanes

WORKERS = st.integers(0, 2)
# A lease that no run of a test outlives, and one that has ended already.
ALIVE_MS, ENDED_MS = 3_600_000, -1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """Of this module alone: it is killed and started again."""
    with Valkey(tmp_path_factory.mktemp("protocol")) as server:
        yield server


class Leases(RuleBasedStateMachine):
    """Three workers on one queue. What each believes to hold may be wrong, as after a long stop."""

    server: Valkey

    def __init__(self) -> None:
        super().__init__()
        self.keys = QueueKeys.of(f"protocol-{uuid.uuid4().hex}")
        self.client = redis.Redis.from_url(self.server.url, retry=Retry(NoBackoff(), 0))
        self.published: dict[str, bytes] = {}
        self.acknowledged: set[str] = set()
        self.revoked: set[str] = set()
        self.dropped: set[str] = set()  # of these, what was dropped before a worker had it
        self.beliefs: list[dict[str, int]] = [{}, {}, {}]
        self.restarts = 0
        self.is_meddled_with = False
        self.is_told = True  # until somebody takes tickets away or invents some
        self.invented = 0
        self.spare = 0  # tickets of what was dropped while other workers were just taking them: they find nothing

    @initialize(is_meddled_with=st.booleans())
    def choose(self, is_meddled_with: bool) -> None:
        """Half of the runs are without meddlers: only those can hold tickets and messages to be even."""
        self.is_meddled_with = is_meddled_with

    def teardown(self) -> None:
        """Whatever came before: one more worker and the sweep bring everything to an end."""
        self.beliefs[0] = {}
        for _ in range(2 * len(self.published) + self.invented + 1):
            self._sweep(ENDED_MS)
            self.take(0)
            for tag in list(self.beliefs[0]):
                del self.beliefs[0][tag]
                self._acknowledge(tag)
        assert not self.acknowledged & self.dropped, "what nobody sees any more was held"
        assert self.acknowledged | self.dropped == set(self.published), "something waits, and no worker is told of it"
        assert not self.client.exists(self.keys.queue, self.keys.interactive, self.keys.bulk)
        self.client.delete(REVOKED)
        self.client.close()

    def _taken(self, worker: int) -> str:
        return self.keys.taken(f"worker{worker}")

    def _message(self) -> tuple[str, bytes]:
        tag = f"tag{len(self.published):08}"
        properties = b'{"delivery_tag": "%s", "correlation_id":"%s"}' % (tag.encode(), _call_id(tag).encode())
        self.published[tag] = b'{"properties": %s}' % properties
        return tag, self.published[tag]

    @rule()
    def publish(self) -> None:
        """As Celery's own API does: into the queue itself."""
        _, message = self._message()
        self.client.lpush(self.keys.queue, message)

    @rule(
        priority=st.sampled_from(PRIORITIES),
        producer=st.sampled_from("ab"),
        count=st.integers(1, 3),
        given_up=st.integers(0, 2),
    )
    def publish_in_a_lane(self, priority: Priority, producer: str, count: int, given_up: int) -> None:
        """Some are given up before any worker could have them."""
        lane = Lane(self.keys.queue, priority, producer)
        messages = dict(self._message() for _ in range(count))
        for tag in list(messages)[:given_up]:
            self._revoke(tag)
        entries = [b"%s %s" % (tag.encode(), message) for tag, message in messages.items()]
        self.client.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, producer, *entries)

    @precondition(lambda self: self.published)
    @rule(draw=st.randoms(use_true_random=False))
    def revoke(self, draw: object) -> None:
        """Its producer gave it up: in a lane it is dropped when its turn comes, and nowhere else."""
        self._revoke(draw.choice(sorted(self.published)))  # type: ignore[attr-defined] # random.Random, of hypothesis

    def _revoke(self, tag: str) -> None:
        self.client.zadd(REVOKED, {_call_id(tag): 1})
        self.revoked.add(tag)

    @precondition(lambda self: self.is_meddled_with)
    @rule()
    def lose_tickets(self) -> None:
        """As a worker of an older version does, or somebody who deletes the queue; whole messages he puts back."""
        whole = [entry for entry in cast("list[bytes]", self.client.lrange(self.keys.queue, 0, -1)) if entry]
        self.client.delete(self.keys.queue)
        if whole:
            self.client.rpush(self.keys.queue, *whole)
        self.is_told = False

    @precondition(lambda self: self.is_meddled_with)
    @rule()
    def invent_a_ticket(self) -> None:
        self.client.lpush(self.keys.queue, b"")
        self.is_told = False
        self.invented += 1

    @rule(worker=WORKERS)
    def pop(self, worker: int) -> None:
        """The first half of taking; what follows may never come."""
        self.client.eval(scripts.REGISTER, 1, self.keys.consumers, self._taken(worker))
        self.client.lmove(self.keys.queue, self._taken(worker), "RIGHT", "LEFT")

    @rule(worker=WORKERS)
    def take(self, worker: int) -> None:
        """The second half: of what was popped last, which others may have been given meanwhile."""
        self._take(worker, lambda: self.client.lmove(self.keys.queue, self._taken(worker), "RIGHT", "LEFT"))

    def _take(self, worker: int, pop: Callable[[], object]) -> None:
        keys = self.keys
        self.client.eval(scripts.REGISTER, 1, keys.consumers, self._taken(worker))
        in_lanes = set(self._in_lanes())
        raw = pop()
        if raw is None:
            return
        tag = "" if raw == b"" else next(tag for tag, message in self.published.items() if message == raw)
        names = (self._taken(worker), keys.leased, keys.leases, keys.losses, keys.queue)
        took = self.client.eval(scripts.TAKE, 8, *names, keys.interactive, keys.bulk, keys.turns, tag)
        self._note_dropped(in_lanes, lined_up=tag)
        self._note_spare()
        if took is None or took[0] is None:
            assert tag in ("", *self.dropped), "a whole message that was there was not leased"
            assert not self._in_lanes(), "a ticket found no message, and one waits"
            return
        losses, *chosen = cast("list[Any]", took)
        if chosen:
            tag = chosen[0].decode()
            assert chosen[1] == self.published[tag]
        self.beliefs[worker][tag] = losses

    def _note_dropped(self, in_lanes: set[bytes], *, lined_up: str) -> None:
        """What TAKE dropped: of what was revoked, and in a lane, where it has just put what was taken, too."""
        places = self._places()
        gone = {tag for tag in self.revoked - self.acknowledged - self.dropped if self.published[tag] not in places}
        assert all(tag == lined_up or self.published[tag] in in_lanes for tag in gone), "it was not in a lane"
        self.dropped |= gone

    def _note_spare(self) -> None:
        """With what is dropped its tickets go, but for those that are in no queue any more."""
        spare = self._told() - len(self._in_lanes())
        if self.is_told and spare > self.spare:
            assert b"" not in cast("list[bytes]", self.client.lrange(self.keys.queue, 0, -1))
        self.spare = max(spare, 0)

    @rule(worker=WORKERS, draw=st.randoms(use_true_random=False))
    def acknowledge(self, worker: int, draw: object) -> None:
        if not (held := self.beliefs[worker]):
            return
        tag = draw.choice(sorted(held))  # type: ignore[attr-defined] # random.Random, of hypothesis
        del held[tag]
        self._acknowledge(tag)

    def _acknowledge(self, tag: str) -> None:
        keys = self.keys
        counted = self.client.eval(scripts.ACK, 3, keys.leased, keys.leases, keys.losses, tag)
        if counted:
            assert tag not in self.acknowledged, "two acknowledgements of one message counted"
            self.acknowledged.add(tag)

    @rule(worker=WORKERS, draw=st.randoms(use_true_random=False))
    def hand_back(self, worker: int, draw: object) -> None:
        if not (held := self.beliefs[worker]):
            return
        tag = draw.choice(sorted(held))  # type: ignore[attr-defined] # as above
        losses = held.pop(tag)
        keys = self.keys
        names = (keys.leased, keys.leases, keys.losses, keys.queue)
        handed_back = self.client.eval(scripts.HAND_BACK, 4, *names, tag, losses)
        if handed_back:
            others = [beliefs for beliefs in self.beliefs if beliefs.get(tag, -1) >= losses]
            assert not others, "the lease of another worker was taken away"

    @rule(worker=WORKERS)
    def renew(self, worker: int) -> None:
        held = self.beliefs[worker]
        self.client.eval(scripts.RENEW, 2, self.keys.leases, self.keys.consumers, self._taken(worker), *held)

    @rule()
    def sweep_while_all_live(self) -> None:
        ended, rescued, _ = self._sweep(ALIVE_MS)
        assert (ended, rescued) == (0, 0)

    @rule()
    def sweep_after_a_silence(self) -> None:
        """Everybody's lease has ended; those who were only slow go on believing in theirs."""
        self._sweep(ENDED_MS)

    @rule(worker=WORKERS)
    def come_forward_on_a_full_server(self, worker: int) -> None:
        """It refuses what may need memory: new messages, and BLMOVE. What empties it goes on."""
        keys = self.keys
        self.client.config_set("maxmemory", 1)
        try:
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                self.client.lpush(keys.queue, b"one more")
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                self.client.lmove(keys.queue, self._taken(worker), "RIGHT", "LEFT")
            self.renew(worker)
            self._take(worker, lambda: self.client.eval(scripts.POP, 3, keys.queue, self._taken(worker), keys.leases))
            for tag in list(self.beliefs[worker]):
                del self.beliefs[worker][tag]
                self._acknowledge(tag)
        finally:
            self.client.config_set("maxmemory", 0)

    @rule(worker=WORKERS)
    def die(self, worker: int) -> None:
        self.beliefs[worker] = {}

    @rule(worker=WORKERS)
    def close(self, worker: int) -> None:
        self.client.eval(scripts.UNTAKE, 3, self._taken(worker), self.keys.queue, self.keys.leases)
        self.client.zrem(self.keys.consumers, self._taken(worker))

    @precondition(lambda self: self.restarts < 1 and len(self.published) > 1)
    @rule()
    def kill_the_server(self) -> None:
        self.restarts += 1
        # With `appendfsync everysec` a server whose disk is busy answers before it has written, by two seconds at most.
        self.client.waitaof(1, 0, 30_000)
        self.server.kill()
        self.server.start()
        self.server.wait_ready()
        self.client.connection_pool.disconnect()

    @invariant()
    def nothing_is_lost_or_twice_and_what_is_done_stays_done(self) -> None:
        places = self._places()
        for tag, message in self.published.items():
            assert places.count(message) == (tag not in self.acknowledged | self.dropped), tag

    @invariant()
    def nothing_is_held_without_a_lease_or_remembered_without_need(self) -> None:
        keys = self.keys
        leased, leases = self.client.hkeys(keys.leased), self.client.zrange(keys.leases, 0, -1)
        assert sorted(leased) == sorted(leases)
        assert not {tag.decode() for tag in cast("list[bytes]", self.client.hkeys(keys.losses))} & self.acknowledged

    @invariant()
    def what_waits_is_told_of(self) -> None:
        """Exactly once while nobody but us had his hands in it; and in any case by the time that the queue is empty."""
        told = self._told()
        waiting = len(self._in_lanes())
        if self.is_told:
            assert told == waiting + self.spare
        elif not self.client.exists(self.keys.queue) and waiting:
            self._sweep(ALIVE_MS)
            assert self._told() >= waiting  # also by tickets that somebody is just taking
        for ring in (self.keys.interactive, self.keys.bulk):
            producers = cast("list[bytes]", self.client.lrange(ring, 0, -1))
            assert len(producers) == len(set(producers))

    def _sweep(self, lease_ms: int) -> list[int]:
        keys = self.keys
        names = (keys.leased, keys.leases, keys.losses, keys.consumers, keys.queue, keys.interactive, keys.bulk)
        return cast("list[int]", self.client.eval(scripts.SWEEP, 7, *names, lease_ms, 10**9, 100))

    def _entries(self) -> list[bytes]:
        """Tickets and whole messages, in the queue or just being taken."""
        lists = (self.client.lrange(key, 0, -1) for key in (self.keys.queue, *map(self._taken, range(3))))
        return [entry for found in lists for entry in cast("list[bytes]", found)]

    def _told(self) -> int:
        return sum(entry == b"" for entry in self._entries())

    def _in_lanes(self) -> list[bytes]:
        return [message for lane in lanes(self.client, self.keys.queue).values() for message in lane]

    def _places(self) -> list[bytes]:
        held = cast("list[bytes]", self.client.hvals(self.keys.leased))
        return [*self._entries(), *held, *self._in_lanes()]


def _call_id(tag: str) -> str:
    return f"call-{tag}"


def test_in_any_order_nothing_is_lost_and_only_one_acknowledgement_counts(server: Valkey) -> None:
    Leases.server = server
    run_state_machine_as_test(Leases, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
