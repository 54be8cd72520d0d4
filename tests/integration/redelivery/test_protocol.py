"""Any order of the protocol's steps, with workers that die and servers that restart, on the real scripts."""

import uuid
from collections.abc import Iterator
from typing import cast

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks.redelivery import scripts
from tasks.redelivery.keys import QueueKeys
from tasks.stack.valkey import Valkey

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
        self.beliefs: list[dict[str, int]] = [{}, {}, {}]
        self.restarts = 0

    def teardown(self) -> None:
        self.client.close()

    def _taken(self, worker: int) -> str:
        return self.keys.taken(f"worker{worker}")

    @rule()
    def publish(self) -> None:
        tag = f"tag{len(self.published):08}"
        self.published[tag] = b'{"properties": {"delivery_tag": "%s"}}' % tag.encode()
        self.client.lpush(self.keys.queue, self.published[tag])

    @rule(worker=WORKERS)
    def pop(self, worker: int) -> None:
        """The first half of taking; what follows may never come."""
        self.client.eval(scripts.REGISTER, 1, self.keys.consumers, self._taken(worker))
        self.client.lmove(self.keys.queue, self._taken(worker), "RIGHT", "LEFT")

    @rule(worker=WORKERS)
    def take(self, worker: int) -> None:
        """The second half: of what was popped last, which others may have been given meanwhile."""
        keys = self.keys
        self.client.eval(scripts.REGISTER, 1, keys.consumers, self._taken(worker))
        raw = self.client.lmove(keys.queue, self._taken(worker), "RIGHT", "LEFT")
        if raw is None:
            return
        (tag,) = (tag for tag, message in self.published.items() if message == raw)
        losses = self.client.eval(
            scripts.TAKE, 5, self._taken(worker), keys.leased, keys.leases, keys.losses, keys.queue, tag
        )
        assert isinstance(losses, int)
        self.beliefs[worker][tag] = losses

    @rule(worker=WORKERS, draw=st.randoms(use_true_random=False))
    def acknowledge(self, worker: int, draw: object) -> None:
        if not (held := self.beliefs[worker]):
            return
        tag = draw.choice(sorted(held))  # type: ignore[attr-defined] # random.Random, of hypothesis
        del held[tag]
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
        assert self._sweep(ALIVE_MS) == [0, 0]

    @rule()
    def sweep_after_a_silence(self) -> None:
        """Everybody's lease has ended; those who were only slow go on believing in theirs."""
        self._sweep(ENDED_MS)

    @rule(worker=WORKERS)
    def die(self, worker: int) -> None:
        self.beliefs[worker] = {}

    @rule(worker=WORKERS)
    def close(self, worker: int) -> None:
        self.client.eval(scripts.UNTAKE, 2, self._taken(worker), self.keys.queue)
        self.client.zrem(self.keys.consumers, self._taken(worker))

    @precondition(lambda self: self.restarts < 1 and len(self.published) > 1)
    @rule()
    def kill_the_server(self) -> None:
        self.restarts += 1
        self.server.kill()
        self.server.start()
        self.server.wait_ready()
        self.client.connection_pool.disconnect()

    @invariant()
    def nothing_is_lost_or_twice_and_what_is_done_stays_done(self) -> None:
        places = self._places()
        for tag, message in self.published.items():
            assert places.count(message) == (tag not in self.acknowledged), tag

    @invariant()
    def nothing_is_held_without_a_lease_or_remembered_without_need(self) -> None:
        keys = self.keys
        leased, leases = self.client.hkeys(keys.leased), self.client.zrange(keys.leases, 0, -1)
        assert sorted(leased) == sorted(leases)
        assert not {tag.decode() for tag in cast("list[bytes]", self.client.hkeys(keys.losses))} & self.acknowledged

    def _sweep(self, lease_ms: int) -> object:
        keys = self.keys
        names = (keys.leased, keys.leases, keys.losses, keys.consumers, keys.queue)
        return self.client.eval(scripts.SWEEP, 5, *names, lease_ms, 10**9, 100)

    def _places(self) -> list[bytes]:
        lists = [self.client.lrange(key, 0, -1) for key in (self.keys.queue, *map(self._taken, range(3)))]
        return [cast("bytes", each) for found in (*lists, self.client.hvals(self.keys.leased)) for each in found]


def test_in_any_order_nothing_is_lost_and_only_one_acknowledgement_counts(server: Valkey) -> None:
    Leases.server = server
    run_state_machine_as_test(Leases, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
