"""Kills consumers in the middle of taking messages, and counts what is lost."""

import json
import os
import random
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import redis

from producer.envelope import CallHeader, redis_envelope, task_message
from producer.lane import Lane
from producer.operation import RunCode
from producer.publisher import PUBLISH, lane_entry
from tasks.redelivery.keeper import Keeper
from tasks.redelivery.keys import QueueKeys
from tests.waiting import wait_until

_CONSUMER = Path(__file__).with_name("consumer.py")
_ROOT = _CONSUMER.parents[2]
_LEASE_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True)
class Killed:
    """What became of the messages. `twice` were done more than once, which is allowed: their worker died after it."""

    kills: int
    sent: int
    lost: int
    twice: int


def kill_consumers(url: str, *, kills: int, seed: int, transport: Literal["lease", "kombu"]) -> Killed:
    """Start a consumer, kill it while it is busiest, `kills` times; then let one finish and count.

    Without a producer that sends again: what is lost stays lost. With our transport two thirds wait in lanes.
    """
    chance = random.Random(seed)
    queue = f"kill-{uuid.uuid4().hex[:8]}"
    keys = QueueKeys.of(queue)
    lanes = (Lane(queue, "interactive", "a"), Lane(queue, "bulk", "b"))
    sent: list[str] = []
    keeper = Keeper(lease_seconds=_LEASE_SECONDS, max_lease_seconds=60)
    with redis.Redis.from_url(url) as client:

        def send(count: int) -> None:
            ids = [str(uuid.uuid4()) for _ in range(count)]
            header = CallHeader(reply_to="nobody", enqueued_at=time.time())
            messages = [task_message(each, RunCode(code="x"), header, sent_by="chaos") for each in ids]
            whole = messages if transport == "kombu" else messages[::3]
            client.lpush(queue, *(redis_envelope(each, queue) for each in whole))
            if transport == "lease":
                for lane, share in zip(lanes, (messages[1::3], messages[2::3]), strict=True):
                    entries = [lane_entry(each, queue) for each in share]
                    client.eval(PUBLISH, 3, lane.queue, lane.ring, lane.key, lane.producer, *entries)
            sent.extend(ids)

        def done() -> int:
            return int(client.llen(f"{queue}:done"))

        for _ in range(kills):
            send(400)
            before = done()
            consumer = _start(url, queue, transport)
            try:
                wait_until(lambda before=before: done() > before, "it consumes")  # type: ignore[misc] # bound above
                time.sleep(chance.uniform(0, 0.03))
            finally:
                consumer.kill()
                consumer.wait()
        consumer = _start(url, queue, transport)
        try:

            def is_empty() -> bool:
                if transport == "lease":
                    keeper.sweep(keys, client)
                    return not client.exists(queue, keys.leased, keys.leases, keys.interactive, keys.bulk)
                return not client.exists(queue)

            wait_until(is_empty, "all that is left is done")
        finally:
            consumer.kill()
            consumer.wait()
        finished = [each.decode() for each in client.lrange(f"{queue}:done", 0, -1)]
        # What kombu holds as delivered would come back after its visibility timeout: it is not lost.
        held = [json.loads(each)[0]["headers"]["id"] for each in client.hvals("unacked")]
    lost = set(sent) - set(finished) - set(held)
    return Killed(kills=kills, sent=len(sent), lost=len(lost), twice=len(finished) - len(set(finished)))


def _start(url: str, queue: str, transport: str) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "PYTHONPATH": str(_ROOT)}
    return subprocess.Popen([sys.executable, str(_CONSUMER), url, queue, transport], env=environ)
