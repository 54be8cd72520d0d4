"""Workers that vanish: what they held is run by others, once for the caller."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import psutil
import redis

from producer.client import Client
from producer.envelope import HEADER, CallHeader, redis_envelope, task_message
from producer.keys import reply_key
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.reply import decode_reply
from producer.settings import Settings
from producer.state import CommandStep, SorryStep, StateRef
from tasks.redelivery.dead import DeadLetter, dead_key
from tasks.redelivery.keys import QueueKeys
from tests.chaos.clock import Clock
from tests.integration.redelivery.conftest import StartMachine
from tests.machines import is_gone, paused_repls, scripted_repls
from tests.waiting import DEADLINE_SECONDS, until, wait_until
from workers.testing import scripted


async def test_what_a_killed_worker_held_is_run_by_another(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    doomed = start_machine()
    async with Client(settings) as fleet:
        calls = [asyncio.ensure_future(fleet.run_code(f"%sleep 1\n%say {number}")) for number in range(6)]
        await until(lambda: broker.zcard(keys.leases) == 2, "its REPLs have work")
        repls = scripted_repls(doomed.pid or 0)
        assert repls
        doomed.kill()
        start_machine()
        results = await asyncio.gather(*calls)
    assert [result.messages[0].data for result in results] == [str(number) for number in range(6)]
    assert sorted(result.attempt for result in results) == [1, 1, 1, 1, 2, 2]
    await until(lambda: all(map(is_gone, repls)), "the killed worker's REPLs are gone")
    await until(nothing_left, "nothing is left on the broker")


async def test_a_message_is_not_lost_with_the_worker_that_was_waiting_for_it(
    settings: Settings, start_machine: StartMachine, nothing_left: Callable[[], bool]
) -> None:
    """The server hands the message to a connection behind which nobody is any more."""
    idle = start_machine()
    idle.signal(signal.SIGSTOP)
    async with Client(settings) as fleet:
        calls = [asyncio.ensure_future(fleet.run_code("theorem t : True := trivial")) for _ in range(4)]
        await asyncio.wait(calls, timeout=1.5)
        idle.kill()
        start_machine()
        results = await asyncio.gather(*calls)
    assert {result.outcome for result in results} == {Outcome.OK}
    await until(nothing_left, "nothing is left on the broker")


async def test_a_worker_that_was_stopped_and_goes_on_answers_nothing_twice(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    frozen = start_machine()
    async with Client(settings) as fleet:
        calls = [asyncio.ensure_future(fleet.run_code(f"%sleep 1\n%say {number}")) for number in range(4)]
        await until(lambda: broker.zcard(keys.leases) == 2, "its REPLs have work")
        frozen.signal(signal.SIGSTOP)
        start_machine()
        results = await asyncio.gather(*calls)
        frozen.signal(signal.SIGCONT)
        assert [result.messages[0].data for result in results] == ["0", "1", "2", "3"]
        again = await fleet.run_code("%say again")
        assert [message.data for message in again.messages] == ["again"]
    await until(nothing_left, "nothing is left on the broker")


async def test_a_task_that_is_longer_than_its_lease_runs_once(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine
) -> None:
    # One machine, which sweeps for all: another would rightly be given what a busy computer did not let it renew.
    machine = start_machine(REDELIVERY_LEASE_SECONDS="3")
    async with Client(settings) as fleet:
        result = await fleet.run_code("%sleep 7\n%say done")
    assert [message.data for message in result.messages] == ["done"]
    assert result.attempt == 1
    assert not broker.exists(keys.losses)
    assert "go to others" not in machine.log()  # where a second try is begun the first one's answer still counts


async def test_a_hung_workers_lease_ends(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine
) -> None:
    hung = start_machine(REDELIVERY_LEASE_SECONDS="1", REDELIVERY_MAX_LEASE_SECONDS="2")
    async with Client(settings) as fleet:
        call = asyncio.ensure_future(fleet.run_code("%sleep 5\n%say done"))
        await until(lambda: broker.zcard(keys.leases) == 1, "it is at work")
        with paused_repls(hung.pid):  # or it might be done first
            await until(lambda: broker.hlen(keys.losses) == 1, "its lease ended")
        result = await call
    assert [message.data for message in result.messages] == ["done"]
    assert "was held for longer than max_lease_seconds" in hung.log()


async def test_an_operation_that_takes_its_workers_down_ends_among_the_dead_letters(
    settings: Settings, broker: redis.Redis, keys: QueueKeys, start_machine: StartMachine
) -> None:
    async with Client(settings) as fleet:
        call = asyncio.ensure_future(fleet.run_code("%sleep 20"))
        for losses in range(2):
            machine = start_machine(REDELIVERY_LEASE_SECONDS="1", REDELIVERY_MAX_WORKER_LOSSES="2")
            counted = [b"%d" % losses] if losses else []
            await until(partial(_is_held_after, broker, keys, counted), "this machine has it")
            machine.kill()
        start_machine(REDELIVERY_LEASE_SECONDS="1", REDELIVERY_MAX_WORKER_LOSSES="2")
        result = await call
    assert result.outcome is Outcome.REPL_DIED
    assert result.reason == "2 workers vanished while they ran it"
    (letter,) = (msgspec.json.decode(each, type=DeadLetter) for each in broker.lrange(dead_key(settings.queue), 0, -1))
    assert letter.arguments == {"code": "%sleep 20"}
    assert letter.kind == "run_code"


async def test_an_operation_that_no_repl_has_seen_is_handed_back_and_never_counted_as_deadly(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    command = [sys.executable, "-I", "-S", scripted.__file__, "--fail-starts", str(broken)]
    machine = start_machine(
        WORKER_REPL_COMMAND=shlex.join(command),
        WORKER_IMAGES="off",  # a thawed REPL does not start, and would not fail
        WORKER_SIZE="1",
        WORKER_SPARES="0",
        WORKER_BACKOFF_MOST_SECONDS="0.3",
        WORKER_START_PATIENCE_SECONDS="0.2",
        REDELIVERY_MAX_REPL_DEATHS="1",
        REDELIVERY_MAX_WORKER_LOSSES="1",
        REDELIVERY_LEASE_SECONDS="60",  # lost by no stop of a busy machine
    )
    broken.touch()
    async with Client(settings) as fleet:
        assert (await fleet.run_code("%exit 1")).outcome is Outcome.REPL_DIED
        broker.delete(dead_key(settings.queue))
        call = fleet.submit(RunCode(code="%say done"))
        await until(lambda: machine.log().count("is handed back") >= 2, "it was handed back more than once")
        broken.unlink()
        assert (await call).outcome is Outcome.OK
    assert not broker.exists(dead_key(settings.queue))


async def test_imports_that_end_every_repl_end_among_the_dead_letters(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine
) -> None:
    start_machine(WORKER_START_PATIENCE_SECONDS="0.2", REDELIVERY_MAX_REPL_DEATHS="2")
    async with Client(settings) as fleet:
        result = await fleet.run_code("import Die\n%say done")
        assert result.outcome is Outcome.REPL_DIED
        assert "failed to map Die" in result.reason
        assert result.attempt == 2
        assert (await fleet.run_code("%say others")).outcome is Outcome.OK
    assert broker.llen(dead_key(settings.queue)) == 1


async def test_a_tactic_that_ends_its_repl_is_tried_again_when_it_is_alone(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine
) -> None:
    start_machine(REDELIVERY_MAX_REPL_DEATHS="3")
    state = StateRef(steps=(CommandStep("theorem t : True := sorry"), SorryStep(0)))
    async with Client(settings) as fleet:
        beside = await fleet.run_tactics(state, ["skip", "%exit 3"])
        assert [tactic.outcome for tactic in beside.tactics] == [Outcome.OK, Outcome.REPL_DIED]
        assert beside.attempt == 1
        assert not broker.exists(dead_key(settings.queue))
        alone = await fleet.run_tactics(state, ["%stderr 100\n%exit 3"])
    assert alone.outcome is Outcome.REPL_DIED
    assert alone.attempt == 3
    assert "xxxend" in alone.reason  # what it wrote to its stderr
    assert broker.llen(dead_key(settings.queue)) == 1


async def test_a_call_whose_header_is_of_another_version_is_refused_in_words(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine
) -> None:
    start_machine()
    headers = (
        {"v": 99, "enqueued_at": 1.0, "reply_to": "me", "novelty": True},
        {"v": 1, "enqueued_at": "yesterday", "reply_to": "me"},
    )
    for place, header in enumerate(headers):
        push(broker, settings.queue, f"call-{place}-0000", header)
        await until(lambda: broker.llen(reply_key("me")) == place + 1, "it is answered")  # noqa: B023 - called here
    replies = cast("list[bytes]", broker.lrange(reply_key("me"), 0, -1))
    results = [decode_reply(each).result for each in replies]
    assert {result.outcome for result in results} == {Outcome.INVALID_REQUEST}
    assert any("version 99" in result.reason for result in results)
    assert broker.ttl(reply_key("me")) > 0  # of a client that will not come back
    assert not broker.exists(dead_key(settings.queue))


async def test_a_call_that_says_not_to_whom_is_kept_among_the_dead_letters(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine, nothing_left: Callable[[], bool]
) -> None:
    start_machine()
    for place, header in enumerate(("nonsense", {"v": 99}, {"reply_to": 7})):
        push(broker, settings.queue, f"call-{place}-0000", header)
    await until(lambda: broker.llen(dead_key(settings.queue)) == 3, "all three are dead letters")
    await until(nothing_left, "nothing is left on the broker")
    letters = [msgspec.json.decode(each, type=DeadLetter) for each in broker.lrange(dead_key(settings.queue), 0, -1)]
    assert {letter.arguments["code"] for letter in letters} == {"%say x"}


def push(broker: redis.Redis, queue: str, call_id: str, header: object) -> None:
    """Publish an operation with this for a header."""
    right = CallHeader(reply_to="me", enqueued_at=0.0)
    message = task_message(call_id, RunCode(code="%say x"), right, sent_by="test")
    message.headers[HEADER] = header
    broker.lpush(queue, redis_envelope(message, queue))


async def test_a_worker_whose_clock_is_wrong_ends_no_call_for_its_deadline(
    settings: Settings, start_machine: StartMachine, tmp_path: Path
) -> None:
    clock = Clock(tmp_path / "clock")
    clock.set_wrong(12 * 3600.0)
    machine = start_machine(environ=clock.environ)
    async with Client(settings) as fleet:
        result = await fleet.run_code("%sleep 0.5\n%say done", deadline_seconds=DEADLINE_SECONDS)
        assert result.outcome is Outcome.OK
        clock.set_wrong(24 * 3600.0)  # while it runs
        assert (await fleet.run_code("%sleep 0.5\n%say more", deadline_seconds=DEADLINE_SECONDS)).outcome is Outcome.OK
    assert "this machine's clock differs by 43200 s" in machine.log()


def _is_held_after(broker: redis.Redis, keys: QueueKeys, losses: list[bytes]) -> bool:
    return broker.zcard(keys.leases) == 1 and broker.hvals(keys.losses) == losses


def test_what_is_no_message_is_put_aside_and_work_goes_on(
    settings: Settings,
    broker: redis.Redis,
    keys: QueueKeys,
    start_machine: StartMachine,
    nothing_left: Callable[[], bool],
) -> None:
    start_machine()
    for junk in (b"not json", b"{}", b'{"properties": {"delivery_tag": 3}}', b"\xff"):
        broker.lpush(keys.queue, junk)
    wait_until(lambda: broker.llen(dead_key(settings.queue)) == 4, "all four are dead letters")
    wait_until(nothing_left, "nothing is left on the broker")


def test_a_worker_leaves_no_process_behind(start_machine: StartMachine) -> None:
    machine = start_machine()
    children = psutil.Process(machine.pid).children(recursive=True)
    assert len(children) >= 3
    assert machine.stop(grace_seconds=15) == 0
    wait_until(lambda: all(map(is_gone, children)), "all of its processes are gone")
