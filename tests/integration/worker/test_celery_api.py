"""The four operations as plain Celery tasks, on a worker that was started by plain Celery."""

import contextlib
import uuid
from typing import Any

import msgspec
import psutil
import pytest
import redis
from celery import chord, group, signature
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult
from pytest_celery import CeleryTestSetup, CeleryTestWorker

import tasks
from producer.outcome import Outcome
from producer.result import ImportStateResult, RunCodeResult, RunTacticsResult
from tasks.redelivery.keys import QueueKeys
from tests.machines import repl_groups, scripted_repls
from tests.waiting import DEADLINE_SECONDS, wait_until

TIMEOUT = DEADLINE_SECONDS


def run_code(code: str, **limits: float) -> RunCodeResult:
    return msgspec.convert(tasks.run_code.delay(code, **limits).get(timeout=TIMEOUT), RunCodeResult)


@pytest.fixture(autouse=True)
def _setup(celery_setup: CeleryTestSetup) -> None:
    assert celery_setup.ready()


def test_a_result_is_whole_with_its_states_and_serves_the_next_task() -> None:
    result = run_code("theorem t : True := sorry")
    assert result.outcome is Outcome.OK
    assert result.state is not None
    (hole,) = result.sorries
    tried = tasks.run_tactics.delay(hole.state, ["trivial", "nonsense"]).get(timeout=TIMEOUT)
    good, bad = msgspec.convert(tried, RunTacticsResult).tactics
    assert good.outcome is Outcome.OK
    assert good.is_complete
    assert bad.outcome is Outcome.LEAN_ERROR
    imported = tasks.import_state.delay(hole.state).get(timeout=TIMEOUT)
    assert msgspec.convert(imported, ImportStateResult).goals == (hole.goal,)


def test_a_group_gives_results_in_its_own_order() -> None:
    codes = [f"%say {number}" for number in range(12)]
    results = group(tasks.run_code.s(code) for code in codes).apply_async().get(timeout=TIMEOUT)
    said = [msgspec.convert(result, RunCodeResult).messages[0].data for result in results]
    assert said == [str(number) for number in range(12)]


def test_a_chord_hands_all_results_to_its_body() -> None:
    body = signature("celery.accumulate", app=tasks.app)
    (results,) = (
        chord([tasks.run_code.s("%say a"), tasks.run_code.s("%say b")], body).apply_async().get(timeout=TIMEOUT)
    )
    assert [msgspec.convert(result, RunCodeResult).messages[0].data for result in results] == ["a", "b"]


def test_a_callback_is_run() -> None:
    linked = tasks.run_code.si("%say linked").set(task_id=uuid.uuid4().hex)
    tasks.run_code.apply_async(("%say first",), link=linked).get(timeout=TIMEOUT)
    follower: AsyncResult[Any] = AsyncResult(linked.options["task_id"], app=tasks.run_code.app)
    result = msgspec.convert(follower.get(timeout=TIMEOUT), RunCodeResult)
    assert [message.data for message in result.messages] == ["linked"]


def test_arguments_that_fit_no_signature_are_refused_where_the_call_is_made() -> None:
    with pytest.raises(TypeError, match="cod"):
        tasks.run_code.delay(cod="theorem")


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"cod": "x"}, "missing a required argument: 'code'"),
        ({"code": "x", "colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"code": 3}, "Expected `str`, got `int`"),
        ({"code": "a\x00b"}, "control character U+0000 in line 1"),
        ({"code": "x", "timeout_seconds": -1}, "timeout_seconds must be a positive number"),
        ({"code": "x" * 1_000_001}, "the limit is 1,000,000"),
    ],
)
def test_bad_arguments_from_elsewhere_are_an_outcome_and_no_traceback(kwargs: dict[str, object], reason: str) -> None:
    sent = tasks.app.send_task("leanfleet.run_code", kwargs=kwargs)
    result = msgspec.convert(sent.get(timeout=TIMEOUT), RunCodeResult)
    assert result.outcome is Outcome.INVALID_REQUEST
    assert reason in result.reason


def test_an_operation_past_its_time_limit_ends_and_its_neighbour_does_not(celery_worker: CeleryTestWorker) -> None:
    pid = celery_worker.container.process.pid
    before = repl_groups(pid)
    neighbour = tasks.run_code.delay("%sleep 2\n%say done")
    assert run_code("%hang", timeout_seconds=0.3).outcome is Outcome.TIMEOUT
    result = msgspec.convert(neighbour.get(timeout=TIMEOUT), RunCodeResult)
    assert [message.data for message in result.messages] == ["done"]
    wait_until(lambda: len(before - repl_groups(pid)) == 1, "one REPL of those before is gone, and no other")


def test_a_task_that_is_terminated_ends_and_its_neighbour_does_not(celery_worker: CeleryTestWorker) -> None:
    pid = celery_worker.container.process.pid
    before = repl_groups(pid)
    doomed = tasks.run_code.delay("%hang", timeout_seconds=600)
    neighbour = tasks.run_code.delay("%sleep 3\n%say done")
    with redis.Redis.from_url(celery_worker.app.conf.broker_url) as client:
        wait_until(lambda: client.zcard(QueueKeys.of("leanfleet").leases) == 2, "the worker has both")
    doomed.revoke(terminate=True)
    with pytest.raises(TaskRevokedError):
        doomed.get(timeout=TIMEOUT)
    assert msgspec.convert(neighbour.get(timeout=TIMEOUT), RunCodeResult).outcome is Outcome.OK
    wait_until(lambda: len(before - repl_groups(pid)) == 1, "one REPL of those before is gone, and no other")
    assert "NotImplementedError" not in celery_worker.logs()


def test_an_operation_past_its_memory_limit_ends_alone() -> None:
    neighbour = tasks.run_code.delay("%sleep 1\n%say done")
    result = run_code("%allocate 300000000\n%sleep 20", memory_bytes=150_000_000)
    assert result.outcome is Outcome.OUT_OF_MEMORY
    assert msgspec.convert(neighbour.get(timeout=TIMEOUT), RunCodeResult).outcome is Outcome.OK


def test_an_operation_whose_repl_is_killed_is_tried_again_and_then_answered(celery_worker: CeleryTestWorker) -> None:
    result = run_code("%stderr 20\n%signal 9")
    assert result.outcome is Outcome.REPL_DIED
    assert "killed by SIGKILL" in result.reason
    assert result.reason.endswith("xxxend")
    assert result.attempt == 3
    assert celery_worker.logs().count("its REPL died") == 2
    assert "is put among the dead letters" in celery_worker.logs()


def test_a_repl_that_is_killed_from_outside_costs_one_try(
    celery_setup: CeleryTestSetup, celery_worker: CeleryTestWorker
) -> None:
    pending = tasks.run_code.delay("%sleep 3\n%say done")
    with redis.Redis.from_url(celery_setup.broker.config()["url"]) as client:
        wait_until(lambda: client.zcard(QueueKeys.of("leanfleet").leases) == 1, "the worker has it")
    for each in scripted_repls(celery_worker.container.process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):  # what isolates a REPL ends with it
            each.kill()
    result = msgspec.convert(pending.get(timeout=TIMEOUT), RunCodeResult)
    assert result.outcome is Outcome.OK
    assert [message.data for message in result.messages] == ["done"]


def test_nothing_is_left_on_the_broker_when_all_is_done(celery_setup: CeleryTestSetup) -> None:
    run_code("theorem t : True := trivial")
    with redis.Redis.from_url(celery_setup.broker.config()["url"]) as client:
        wait_until(lambda: not client.exists("leanfleet:leased:leanfleet", "leanfleet:leases:leanfleet"), "no leases")
        assert not client.exists("leanfleet", "unacked", "unacked_index")
