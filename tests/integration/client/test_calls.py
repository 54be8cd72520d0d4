"""The client against a real broker and a consumer that is told what to answer."""

import asyncio
import contextlib
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from producer.client import Client
from producer.errors import ClientClosedError, InvalidInputError, SettingsError, WireError
from producer.keys import REPLY_TTL_SECONDS, REVOKED, REVOKED_TTL_SECONDS, reply_key
from producer.operation import RunCode, RunTactics
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply
from producer.result import AnyResult, Message, RunCodeResult, RunTacticsResult, Sorry, TacticResult
from producer.settings import Settings
from producer.state import CommandStep, SorryStep, StateRef, TacticStep
from tests.integration.client.responder import Delivery, Responder, echo, envelopes
from tests.waiting import until

if TYPE_CHECKING:
    import redis

HOLE = StateRef(project="p", steps=(CommandStep("theorem t : True := by sorry"), SorryStep(0)))
ANSWERED = RunCodeResult(outcome=Outcome.OK)


async def test_every_verb_gets_the_answer_to_its_question(fleet: Client, responder: Responder) -> None:
    code = await fleet.run_code("theorem t : True := trivial")
    assert [message.data for message in code.messages] == ["theorem t : True := trivial"]
    assert (await fleet.run_tactic(HOLE, "trivial")).goals == ("trivial",)
    tactics = await fleet.run_tactics(HOLE, ["simp", "omega"])
    assert [tactic.goals for tactic in tactics.tactics] == [("simp",), ("omega",)]
    assert (await fleet.export_state(HOLE)).state == HOLE
    assert (await fleet.import_state(HOLE)).goals == ("⊢ True",)
    verified = await fleet.verify_proof("theorem t : p := sorry", "theorem t : p := h", allowed_axioms=["propext"])
    assert (verified.is_proved, verified.messages[0].data) == (True, "theorem t : p := h")
    assert [delivery.headers["task"] for delivery in responder.deliveries] == [
        "leanfleet.run_code",
        "leanfleet.run_tactics",
        "leanfleet.run_tactics",
        "leanfleet.export_state",
        "leanfleet.import_state",
        "leanfleet.verify_proof",
    ]
    asked = responder.deliveries[-1].operation
    assert asked.texts == ("theorem t : p := sorry", "theorem t : p := h", "")
    assert fleet.in_flight == 0


async def test_a_call_may_insist_on_being_run(fleet: Client, responder: Responder) -> None:
    for fresh in (False, True):
        await fleet.run_code("theorem t : True := trivial", fresh=fresh)
        await fleet.run_tactic(HOLE, "trivial", fresh=fresh)
        await fleet.run_tactics(HOLE, ["trivial"], fresh=fresh)
        await fleet.verify_proof("theorem t : p := sorry", "theorem t : p := h", fresh=fresh)
    assert [delivery.operation.fresh for delivery in responder.deliveries] == [False] * 4 + [True] * 4


async def test_a_client_counts_what_became_of_its_calls(fleet: Client, responder: Responder) -> None:
    responder.answer = lambda delivery: None if delivery.operation.label == "held" else echo(delivery.operation)
    await asyncio.gather(*(fleet.run_code(f"#eval {number}") for number in range(5)))
    await fleet.run_tactic(HOLE, "trivial")
    await fleet.run_code("a\0b")
    await fleet.run_code("held", deadline_seconds=0.01)
    held, cancelled = fleet.submit(RunCode(code="held")), fleet.submit(RunCode(code="held"))
    cancelled.cancel()
    await until(lambda: held.sequence, "it is published")
    stats = fleet.stats()
    assert stats.outcomes == {
        ("run_code", "ok"): 5,
        ("run_tactics", "ok"): 1,
        ("run_code", "invalid_request"): 1,
        ("run_code", "lost"): 1,
    }
    assert (stats.submitted, stats.withdrawn, stats.in_flight, stats.unsent, stats.failed) == (10, 1, 1, 0, 2)
    assert 'leanfleet_client_operations_total{kind="run_code",outcome="ok"} 5' in stats.text()


async def test_states_are_put_back_into_the_answer(fleet: Client, responder: Responder) -> None:
    responder.answer = lambda delivery: (
        RunCodeResult(outcome=Outcome.OK, project="p", sorries=(Sorry(goal="⊢ True"),))
        if isinstance(delivery.operation, RunCode)
        else echo(delivery.operation)
    )
    result = await fleet.run_code("theorem t : True := by sorry")
    assert result.sorries[0].state == HOLE
    after = await fleet.run_tactic(HOLE, "trivial")
    assert after.state == HOLE.then(TacticStep("trivial"))


async def test_limits_come_from_the_call_or_else_from_the_settings(settings: Settings, responder: Responder) -> None:
    limited = Settings(broker_url=settings.broker_url, queue=settings.queue, timeout_seconds=7.0, memory_bytes=8)
    async with Client(limited) as fleet:
        await fleet.run_code("a")
        await fleet.run_code("b", timeout_seconds=1.5, memory_bytes=9)
    found = [(each.operation.timeout_seconds, each.operation.memory_bytes) for each in responder.deliveries]
    assert found == [(7.0, 8), (1.5, 9)]


async def test_results_arrive_in_whatever_order_they_are_ready(fleet: Client, responder: Responder) -> None:
    held: list[Delivery] = []

    def hold_the_first(delivery: Delivery) -> AnyResult | None:
        if not held:
            held.append(delivery)
            return None
        return ANSWERED

    responder.answer = hold_the_first
    first = fleet.submit(RunCode(code="first"))
    second = fleet.submit(RunCode(code="second"))
    await second
    assert not first.done()
    responder.reply(held[0], ANSWERED)
    assert (await first).ok


async def test_thousands_wait_without_a_task_or_thread_for_each(fleet: Client, responder: Responder) -> None:
    gate = threading.Event()
    responder.answer = lambda delivery: echo(delivery.operation) if gate.wait(120) else None
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    calls = [fleet.submit(RunCode(code=f"#eval {number}")) for number in range(3000)]
    try:
        await until(lambda: responder.deliveries, "the first is delivered")
        # A connection that is being made has a task or two of its own for a moment.
        assert len(asyncio.all_tasks()) < tasks + 10
        assert threading.active_count() < threads + 10
        assert fleet.in_flight == 3000
    finally:
        gate.set()
    results = await asyncio.gather(*calls)
    assert [result.messages[0].data for result in results] == [f"#eval {number}" for number in range(3000)]


async def test_a_waiting_call_costs_less_than_three_kilobytes(fleet: Client) -> None:
    count = 5000
    operations = [RunCode(code=f"theorem t{number} : True := trivial") for number in range(count)]
    tracemalloc.start()
    try:
        calls = [fleet.submit(operation) for operation in operations]
        await until(lambda: calls[-1].sequence, "all are published")
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current / count < 3000


async def test_only_the_first_of_two_answers_counts(fleet: Client, responder: Responder) -> None:
    def answer_twice(delivery: Delivery) -> AnyResult:
        responder.reply(delivery, RunCodeResult(outcome=Outcome.OK, worker="first"))
        return RunCodeResult(outcome=Outcome.OK, worker="second")

    responder.answer = answer_twice
    results = await asyncio.gather(*(fleet.run_code(f"#eval {number}") for number in range(100)))
    assert {result.worker for result in results} == {"first"}


async def test_an_answer_that_cannot_be_read_ends_its_call_and_no_other(
    fleet: Client, responder: Responder, server: "redis.Redis"
) -> None:
    responder.answer = lambda _: None
    broken, fine = fleet.submit(RunCode(code="broken")), fleet.submit(RunCode(code="fine"))
    await until(lambda: len(responder.deliveries) == 2, "both are delivered")
    newer = encode_reply(Reply(call_id=broken.id, result=ANSWERED, v=99))
    server.rpush(reply_key(fleet.id), b"\xff no reply", b"{}", b'{"x": ' + b"[" * 100_000, newer)
    with pytest.raises(WireError, match="version 99"):
        await broken
    responder.reply(responder.deliveries[1], ANSWERED)
    assert (await fine).ok


async def test_an_answer_of_another_kind_is_an_error(fleet: Client, responder: Responder) -> None:
    responder.answer = lambda _: RunTacticsResult(outcome=Outcome.OK)
    with pytest.raises(WireError, match="cannot answer a run_code"):
        await fleet.run_code("x")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("theorem t :\n True\x00", "U+0000 in line 2"),  # some REPLs stop reading at it
        ("\ud800", "U+D800 in line 1"),  # json.loads lets it pass
        ("x" * 1_000_001, "1,000,001 bytes"),
    ],
)
async def test_a_text_that_lean_cannot_read_is_an_outcome(fleet: Client, code: str, reason: str) -> None:
    result = await fleet.run_code(code)
    assert result.outcome is Outcome.INVALID_REQUEST
    assert reason in result.reason
    assert fleet.in_flight == 0


async def test_a_tactic_that_lean_cannot_read_does_not_take_the_others_with_it(
    fleet: Client, responder: Responder
) -> None:
    result = await fleet.run_tactics(HOLE, ["simp", "om\x00ega", "rfl", "\ud800"])
    assert result.ok
    assert [tactic.outcome for tactic in result.tactics] == ["ok", "invalid_request", "ok", "invalid_request"]
    assert [tactic.goals for tactic in result.tactics] == [("simp",), (), ("rfl",), ()]
    assert "U+0000" in result.tactics[1].reason
    assert result.tactics[0].state == HOLE.then(TacticStep("simp"))
    assert result.tactics[2].state == HOLE.then(TacticStep("rfl"))

    nothing = await fleet.run_tactics(HOLE, ["\x00", "\x01"])
    assert [tactic.outcome for tactic in nothing.tactics] == ["invalid_request"] * 2
    too_large = await fleet.run_tactics(HOLE, ["\x00", "x" * 1_000_001])
    assert too_large.outcome is Outcome.INVALID_REQUEST

    responder.answer = lambda _: RunTacticsResult(outcome=Outcome.STATE_UNAVAILABLE)
    assert (await fleet.run_tactics(HOLE, ["simp", "\x00"])).outcome is Outcome.STATE_UNAVAILABLE
    responder.answer = lambda _: RunTacticsResult(outcome=Outcome.OK, tactics=(TacticResult(outcome=Outcome.OK),) * 2)
    with pytest.raises(WireError, match="2 tactics were answered out of 1"):
        await fleet.run_tactics(HOLE, ["simp", "\x00"])
    assert len(responder.deliveries) == 3


async def test_a_state_that_holds_no_text_is_an_outcome_too(fleet: Client, responder: Responder) -> None:
    state = StateRef(steps=(CommandStep("\ud800"),))
    bad, good = fleet.submit(RunCode(code="x", state=state)), fleet.submit(RunCode(code="y"))
    assert (await bad).outcome is Outcome.INVALID_REQUEST
    assert (await good).ok
    assert len(responder.deliveries) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda fleet: fleet.run_tactics(HOLE, []),
        lambda fleet: fleet.run_tactic(StateRef(), "simp"),
        lambda fleet: fleet.run_code("x", timeout_seconds=0),
        lambda fleet: fleet.run_code("x", memory_bytes=-1),
    ],
)
async def test_arguments_that_are_no_operation_are_an_error(fleet: Client, ask: Callable[[Client], Any]) -> None:
    with pytest.raises(InvalidInputError):
        await ask(fleet)
    assert fleet.in_flight == 0


async def test_where_the_whole_operation_failed_its_one_tactic_says_so(fleet: Client, responder: Responder) -> None:
    responder.answer = lambda _: RunTacticsResult(outcome=Outcome.STATE_UNAVAILABLE, reason="no such module")
    assert await fleet.run_tactic(HOLE, "simp") == TacticResult(
        outcome=Outcome.STATE_UNAVAILABLE, reason="no such module"
    )


@pytest.mark.usefixtures("responder")
async def test_total_time_is_what_the_caller_saw(fleet: Client) -> None:
    started = time.monotonic()
    result = await fleet.run_code("x")
    assert 0 < result.timing.total_seconds <= time.monotonic() - started


async def test_the_worker_is_told_who_asks_and_until_when(fleet: Client, responder: Responder) -> None:
    before = time.time()
    await fleet.run_code("x", deadline_seconds=60)
    await fleet.run_code("y")
    with_deadline, without = (delivery.header for delivery in responder.deliveries)
    assert with_deadline["reply_to"] == fleet.id
    assert before - 1 <= with_deadline["enqueued_at"] <= time.time() + 1
    assert with_deadline["deadline"] == pytest.approx(with_deadline["enqueued_at"] + 60, abs=1)
    assert "deadline" not in without


# -- ends other than an answer --------------------------------------------------------------------------------


async def test_a_call_past_its_deadline_is_lost_and_a_late_answer_harmless(
    fleet: Client, responder: Responder, server: "redis.Redis"
) -> None:
    responder.answer = lambda _: None
    result = await fleet.run_code("slow", deadline_seconds=0.2)
    assert result.outcome is Outcome.LOST
    assert result.reason == "no answer within 0.2 s"
    assert fleet.in_flight == 0
    await until(lambda: responder.deliveries, "it was published")
    await until(lambda: server.zscore(REVOKED, responder.deliveries[0].call_id), "it is dropped where it waits")
    responder.reply(responder.deliveries[0], ANSWERED)
    responder.answer = lambda _: ANSWERED
    assert (await fleet.run_code("next", deadline_seconds=30)).ok


async def test_a_call_that_is_cancelled_before_it_is_published_never_is(
    fleet: Client, settings: Settings, server: "redis.Redis"
) -> None:
    cancelled, other = fleet.submit(RunCode(code="cancelled")), fleet.submit(RunCode(code="other"))
    cancelled.cancel()
    await until(lambda: other.sequence, "the other one is published")
    assert [envelope["headers"]["id"] for envelope, _ in envelopes(server, settings.queue)] == [other.id]
    assert server.zscore(REVOKED, cancelled.id) is None


async def test_a_call_that_is_cancelled_later_is_revoked(fleet: Client, server: "redis.Redis") -> None:
    call = fleet.submit(RunCode(code="cancelled"))
    await until(lambda: call.sequence, "it is published")
    assert call.cancel()
    assert not call.cancel()
    assert fleet.in_flight == 0
    await until(lambda: server.zscore(REVOKED, call.id), "it is revoked")
    assert 0 < server.ttl(REVOKED) <= REVOKED_TTL_SECONDS
    expiry = server.zscore(REVOKED, call.id)
    assert isinstance(expiry, float)
    assert time.time() < expiry < time.time() + 24 * 3600


async def test_a_cancelled_task_group_withdraws_what_it_waited_for(fleet: Client, server: "redis.Redis") -> None:
    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the group is what raises
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(fleet.run_code(f"#eval {number}"))
            await until(lambda: fleet.in_flight == 10, "all are submitted")
            ids = list(fleet._calls)
            await until(lambda: all(call.sequence for call in fleet._calls.values()), "all are published")
            raise OSError("the policy failed")
    assert caught.value.exceptions == (OSError("the policy failed"),) or isinstance(caught.value.exceptions[0], OSError)
    assert fleet.in_flight == 0
    await until(lambda: all(server.zscore(REVOKED, call_id) for call_id in ids), "all are revoked")


async def test_closing_ends_what_waits_and_leaves_nothing_behind(
    settings: Settings, responder: Responder, server: "redis.Redis"
) -> None:
    responder.answer = lambda _: None
    before = asyncio.all_tasks()
    async with Client(settings) as fleet:
        waiting = asyncio.create_task(fleet.run_code("waiting"))
        abandoned = fleet.submit(RunCode(code="nobody looks at it"))
        await until(lambda: len(responder.deliveries) == 2, "both are delivered")
        ids = [delivery.call_id for delivery in responder.deliveries]
        server.rpush(reply_key(fleet.id), b"not read yet")
    with pytest.raises(ClientClosedError):
        await waiting
    assert isinstance(abandoned.exception(), ClientClosedError)
    assert asyncio.all_tasks() == before
    assert not server.exists(reply_key(fleet.id))
    assert all(server.zscore(REVOKED, call_id) for call_id in ids)
    await fleet.close()
    with pytest.raises(ClientClosedError):
        await fleet.run_code("too late")
    assert "closed" in repr(fleet)


async def test_closing_that_is_cancelled_while_batches_are_given_up_leaves_nothing_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asyncio.all_tasks()
    client = await Client(settings).__aenter__()
    reached = asyncio.Event()

    async def hang() -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(client.batches, "close", hang)
    closing = asyncio.create_task(client.close())
    await reached.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert asyncio.all_tasks() == before


async def test_a_client_is_used_inside_its_with_and_once(settings: Settings) -> None:
    client = Client(settings)
    assert "not connected" in repr(client)
    with pytest.raises(ClientClosedError, match="async with"):
        client.submit(RunCode(code="x"))
    async with client:
        assert "0 in flight" in repr(client)
        with pytest.raises(ClientClosedError, match="once"):
            await client.__aenter__()
    with pytest.raises(ClientClosedError, match="once"):
        await client.__aenter__()


def test_a_client_without_a_broker_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match="LEANFLEET_BROKER_URL"):
        Client(Settings())


async def test_a_failure_inside_reaches_the_callers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(settings) as fleet:

        async def fail(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(fleet._publisher, "publish", fail)
        for _ in range(2):
            with pytest.raises(Exception, match="the client failed inside"):
                await fleet.run_code("x")
    assert "stops working" in caplog.text


async def test_the_reply_list_expires_although_it_is_read_in_place(
    fleet: Client, responder: Responder, server: "redis.Redis"
) -> None:
    """The head is looked at by moving it onto itself, which must not make the list a new one without an expiry."""
    lives: list[Any] = []

    def answer(delivery: Delivery) -> AnyResult | None:
        responder.reply(delivery, ANSWERED)
        lives.append(server.ttl(reply_key(fleet.id)))
        return None

    responder.answer = answer
    for _ in range(50):
        await fleet.run_code("x")
    # -2: removed already; what is never right is -1, a list that stays for ever
    assert set(lives) <= {-2, REPLY_TTL_SECONDS, REPLY_TTL_SECONDS - 1}


# -- many at once ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("responder")
async def test_a_stream_yields_every_result_with_its_place(fleet: Client) -> None:
    operations = [RunCode(code=f"#eval {number}") for number in range(500)]
    places = set()
    async for place, operation, result in fleet.stream(operations, window=64):
        assert operation is operations[place]
        assert isinstance(result, RunCodeResult)
        assert result.messages == (Message(severity="info", data=f"#eval {place}"),)
        places.add(place)
    assert places == set(range(500))


@pytest.mark.usefixtures("responder")
async def test_a_stream_draws_no_more_than_its_window_ahead(fleet: Client) -> None:
    drawn = taken = 0

    def operations() -> Any:
        nonlocal drawn
        for number in range(100):
            drawn += 1
            yield RunCode(code=f"#eval {number}")

    async for _ in fleet.stream(operations(), window=8):
        assert drawn - taken <= 8
        assert fleet.in_flight <= 8
        taken += 1
    assert taken == 100


async def test_leaving_a_stream_withdraws_the_rest(fleet: Client, responder: Responder) -> None:
    responder.answer = lambda delivery: ANSWERED if delivery.operation.label == "0" else None
    stream = fleet.stream((RunCode(code=str(number)) for number in range(1000)), window=10)
    async with contextlib.aclosing(stream):
        async for done in stream:
            assert done.place == 0
            break
    assert fleet.in_flight == 0


async def test_an_empty_stream_ends(fleet: Client) -> None:
    assert [done async for done in fleet.stream([])] == []
    assert await fleet.map([]) == []


@pytest.mark.usefixtures("responder")
async def test_map_keeps_the_order(fleet: Client) -> None:
    operations = [RunTactics(state=HOLE, tactics=(f"exact {number}",)) for number in range(100)]
    results = await fleet.map(operations, window=16)
    assert [result.tactics[0].goals for result in results if isinstance(result, RunTacticsResult)] == [
        (f"exact {number}",) for number in range(100)
    ]


@pytest.mark.parametrize("deadline_seconds", [-1, 0, float("nan"), float("inf"), "5"])
async def test_a_deadline_that_cannot_be_is_refused(fleet: Client, deadline_seconds: Any) -> None:
    with pytest.raises(InvalidInputError, match="deadline_seconds must be"):
        await fleet.run_code("x", deadline_seconds=deadline_seconds)
    assert fleet.in_flight == 0


async def test_one_string_is_not_taken_for_a_list_of_tactics(fleet: Client, responder: Responder) -> None:
    with pytest.raises(InvalidInputError, match=r"tactics must be a list of strings: pass \['simp'\]"):
        await fleet.run_tactics(HOLE, "simp")
    with pytest.raises(InvalidInputError, match="tactics must be a list of strings, not 5"):
        await fleet.run_tactics(HOLE, 5)  # type: ignore[arg-type]
    assert not responder.deliveries
