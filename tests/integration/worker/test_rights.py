"""Producers and workers with users of their own on a real Valkey: what each does, and what it may not."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from redis.exceptions import ResponseError

import leanfleet
from producer.connection import open_redis
from producer.errors import BrokerUnavailableError
from producer.keys import batch_key, reply_key
from producer.settings import Settings
from tasks.rights import Role, line
from tasks.stack.errors import StackError
from tasks.stack.machine import Machine
from tasks.stack.valkey import Valkey
from tests.machines import ROOT
from tests.waiting import DEADLINE_SECONDS, until
from workers.scaling.observer import Observer

QUEUE = "proofs"
LEMMA = "theorem t : 1 + 1 = 2 := rfl"


@dataclass(frozen=True)
class Fenced:
    """A Valkey on which everyone is somebody, and a worker on it."""

    server: Valkey
    admin: redis.Redis
    store: str

    def settings(self, user: str) -> Settings:
        parts = urlsplit(self.server.url)
        url = f"redis://{user}:{user}-password@{parts.hostname}:{parts.port}/0"
        return Settings(broker_url=url, queue=QUEUE, store_url=self.store)


def admit(server: redis.Redis, *users: tuple[Role, str]) -> None:
    for role, user in users:
        _, name, *granted = line(role, user, QUEUE, f"{user}-password").split()
        command: Any = server.execute_command  # redis-py left it untyped
        command("ACL", "SETUSER", name, *granted)


def denied(server: redis.Redis) -> list[str]:
    """What was refused to somebody, in the server's own words."""
    log: Any = server.acl_log()
    return [
        f"{entry['username']}: {entry['reason']} {entry['object']} ({entry['client-info']['cmd']})" for entry in log
    ]


@pytest.fixture(scope="module")
def fenced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fenced]:
    folder = tmp_path_factory.mktemp("rights")
    with Valkey(folder / "valkey") as server, redis.Redis.from_url(server.url, decode_responses=True) as admin:
        admit(
            admin,
            (Role.PRODUCER, "alice"),
            (Role.PRODUCER, "bob"),
            (Role.WORKER, "fleet"),
            (Role.OPERATOR, "ops"),
        )
        fenced = Fenced(server, admin, f"file://{folder}/store")
        environ = {
            **os.environ,
            "LEANFLEET_BROKER_URL": fenced.settings("fleet").broker_url,
            "LEANFLEET_QUEUE": QUEUE,
            "LEANFLEET_STORE_URL": fenced.store,
            "LEANFLEET_WORKER_ANSWER_TTL_SECONDS": "60",
        }
        machine = Machine("machine1", directory=folder, environ=environ, repls=1, events=True)
        machine.start()
        try:
            try:
                machine.wait_ready()
            except StackError as error:
                error.add_note("\n".join(denied(admin)))
                raise
            yield fenced
        finally:
            machine.stop()


@asynccontextmanager
async def watched(fenced: Fenced) -> AsyncIterator[None]:
    """What is not answered in time was refused to somebody: say what."""
    fenced.admin.acl_log_reset()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            yield
    finally:
        assert denied(fenced.admin) == []


async def test_a_producer_and_a_worker_with_their_own_rights_do_all_that_a_fleet_does(fenced: Fenced) -> None:
    settings = fenced.settings("alice")
    async with watched(fenced), leanfleet.connect(settings=settings) as fleet:
        assert (await fleet.run_code(LEMMA)).ok
        assert (await fleet.verify_proof("theorem t : 1 + 1 = 2 := sorry", LEMMA)).is_proved
        hole = (await fleet.run_code("theorem u (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry")).sorries[0].state
        assert hole is not None
        split = (await fleet.run_tactics(hole, ["constructor", "skip"])).tactics[0].state
        assert split is not None
        tried = await fleet.run_tactics(split, ["exact h.2"])
        assert tried.tactics[0].ok
        cancelled = fleet.submit(leanfleet.RunCode(code="example : True := by repeat (first | skip)"))
        await until(lambda: fleet.in_flight == 1, "the call is on its way")
        cancelled.cancel()
        submission = await fleet.batches.submit([{"id": f"p{n}", "code": LEMMA} for n in range(20)])
        statuses = [status async for status in fleet.batches.watch(submission.id, every_seconds=0.1)]
        assert statuses[-1].verdicts == {"proved": 20}
        given_up = await fleet.batches.submit([{"id": f"q{n}", "code": f"{LEMMA} -- {n}"} for n in range(500)])
        assert (await fleet.batches.cancel(given_up.id)).state == "cancelled"
    await until(lambda: not fenced.admin.hlen(f"leanfleet:leased:{QUEUE}"), "nothing is held")
    assert denied(fenced.admin) == []


def test_a_tree_search_runs_with_a_producers_rights(fenced: Fenced) -> None:
    settings = fenced.settings("alice")
    fenced.admin.acl_log_reset()
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "best_first_search.py"), "--configured", "--limit=4", "--at-least=1"],
        env={**os.environ, "LEANFLEET_BROKER_URL": settings.broker_url, "LEANFLEET_QUEUE": QUEUE},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert denied(fenced.admin) == []


ADMINISTRATION = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "SHUTDOWN NOSAVE",
    "ACL LIST",
    "ACL WHOAMI",
    "MONITOR",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "SCRIPT FLUSH",
    "FUNCTION LIST",
    "REPLICAOF NO ONE",
    "SAVE",
)
READING = (
    "LRANGE {key} 0 -1",
    "BLMOVE {key} leanfleet:reply:bob:mine LEFT LEFT 1",
    "LPOP {key}",
    "DUMP {key}",
    "SORT {key} ALPHA STORE leanfleet:reply:bob:mine",
    "RENAME {key} leanfleet:reply:bob:mine",
    "COPY {key} leanfleet:reply:bob:mine",
    "OBJECT ENCODING {key}",
    "EVAL return{{redis.call('LRANGE','{key}',0,-1)}} 0",
)


@pytest.mark.parametrize("user", ["bob", "fleet"])
@pytest.mark.parametrize("command", ADMINISTRATION)
async def test_neither_a_producer_nor_a_worker_administers_the_server(fenced: Fenced, user: str, command: str) -> None:
    await refused(fenced, user, command)


@pytest.mark.parametrize("command", READING)
async def test_a_producer_cannot_read_anothers_results(fenced: Fenced, command: str) -> None:
    async with leanfleet.connect(settings=fenced.settings("alice")) as fleet:
        alices = reply_key(fleet.id)
        assert alices.startswith("leanfleet:reply:alice:")
        fenced.admin.rpush(alices, "a result")
        await refused(fenced, "bob", command.format(key=alices))


@pytest.mark.parametrize(
    "command",
    [
        f"HGETALL {batch_key('0123456789ab', 1, 'alice')}",
        f"HGET {batch_key('0123456789ab', 1, 'alice')} 0",
        f"LRANGE {QUEUE} 0 -1",  # other producers' operations
        f"RPOP {QUEUE}",
        f"EVAL return{{redis.call('LRANGE',KEYS[1],0,-1)}} 1 {QUEUE}",
        f"LRANGE leanfleet:lanes:{QUEUE}:interactive 0 -1",
        f"LRANGE leanfleet:lanes:{QUEUE}:bulk:alice:x 0 -1",
        f"EVAL return{{redis.call('LRANGE','leanfleet:lanes:{QUEUE}:bulk:alice:x',0,-1)}} 0",
        f"DEL leanfleet:reply:alice:x {QUEUE}",
        f"DEL {QUEUE}",  # nor is what others put there removed or hidden
        f"LTRIM {QUEUE} 1 0",
        f"LSET {QUEUE} 0 forged",
        f"SET {QUEUE} x",
        f"EXPIRE {QUEUE} 1",
        f"RESTORE {QUEUE} 0 x",
        f"RENAME leanfleet:reply:bob:x {QUEUE}",
        f"COPY leanfleet:reply:bob:x {QUEUE} REPLACE",
        f"EVAL return{{redis.call('DEL',KEYS[1])}} 1 {QUEUE}",
        f"UNLINK leanfleet:lanes:{QUEUE}:interactive",
        f"HGETALL leanfleet:leased:{QUEUE}",
        f"LRANGE leanfleet:dead:{QUEUE} 0 -1",
        "ZRANGE leanfleet:revoked 0 -1",
        "GET leanfleet:answer:x",
        "SET leanfleet:answer:x forged",
        "SET leanfleet:drain:machine1 1",
        f"LPUSH leanfleet:taken:{QUEUE}:x forged",
        "RPUSH leanfleet:reply:alice:x forged",
        "LPUSH other-queue message",
        "PUBLISH /0.celery.pidbox shutdown",
        "SUBSCRIBE celery-task-meta-x",
        "PSUBSCRIBE *",
    ],
)
async def test_a_producer_reaches_nothing_but_its_own(fenced: Fenced, command: str) -> None:
    await refused(fenced, "bob", command)


@pytest.mark.parametrize(
    "command",
    [
        "LPUSH other-queue message",
        "RPUSH other-queue message",
        "EVAL return{redis.call('LPUSH','other-queue','message')} 0",
        f"LMOVE {QUEUE} other-queue LEFT LEFT",
        "LRANGE other-queue 0 -1",
        "HGETALL leanfleet:leased:other-queue",
        "LRANGE leanfleet:reply:alice:x 0 -1",
        "SET leanfleet:drain:machine1 1",
        "SET anything 1",
        "PUBLISH elsewhere message",
    ],
)
async def test_a_worker_publishes_to_no_other_queue_and_reads_no_results(fenced: Fenced, command: str) -> None:
    await refused(fenced, "fleet", command)


async def refused(fenced: Fenced, user: str, command: str) -> None:
    redis = open_redis(fenced.settings(user).broker_url)
    words = command.split()  # a script is one word
    asked: Any = redis.execute_command  # its types are those of the blocking client
    try:
        with pytest.raises(ResponseError, match=r"(?i)no permission|can't run this command|NOPERM"):
            await asked(*words)
    finally:
        await redis.aclose()


async def test_another_users_batch_is_refused_and_left_as_it_is(fenced: Fenced) -> None:
    async with leanfleet.connect(settings=fenced.settings("alice")) as alice:
        batch_id = (await alice.batches.submit([{"id": "p", "code": f"{LEMMA} -- shared"}])).id
        (key,) = fenced.admin.keys(f"{batch_key(batch_id, 1, 'alice')}:*")
        await until(lambda: fenced.admin.hexists(key, "0"), "it is answered")
        async with leanfleet.connect(settings=fenced.settings("bob")) as bob:
            with pytest.raises(BrokerUnavailableError, match=r"(?i)no permission"):
                await bob.batches.status(batch_id)
        status = await alice.batches.status(batch_id)
        assert (status.answered, status.verdicts) == (1, {"proved": 1})


async def test_an_operator_sees_and_drains_but_does_not_administer(fenced: Fenced) -> None:
    settings = fenced.settings("ops")
    redis = open_redis(settings.broker_url)
    observer = Observer(settings, redis)
    try:
        sight = await observer.look()
        assert [report.machine for report in sight.reports]
    finally:
        await observer.close()
        await redis.aclose()
    for command in ("FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST", "SHUTDOWN NOSAVE"):
        await refused(fenced, "ops", command)


PLAIN_CELERY = """
import sys, tasks
statement, proof = sys.argv[1:]
print(tasks.verify_proof.delay(statement, proof).get(timeout=120)["verdict"])
"""


@pytest.mark.parametrize(
    ("proof", "verdict"), [(LEMMA, "proved"), ("axiom a : 1 + 1 = 2\ntheorem t : 1 + 1 = 2 := a", "not_proved")]
)
def test_plain_celery_verifies_proofs_with_an_operators_rights(fenced: Fenced, proof: str, verdict: str) -> None:
    environ = {**os.environ, "LEANFLEET_BROKER_URL": fenced.settings("ops").broker_url, "LEANFLEET_QUEUE": QUEUE}
    done = subprocess.run(
        [sys.executable, "-P", "-c", PLAIN_CELERY, "theorem t : 1 + 1 = 2 := sorry", proof],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, verdict), done.stderr
