"""The blocking client, as scripts, threads and notebooks use it."""

import asyncio
import contextlib
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from producer.batch.batches import Batches
from producer.batch.sync import SyncBatches
from producer.client import Client
from producer.entry import connect_sync
from producer.errors import BrokerUnavailableError, ClientClosedError, InvalidInputError, LeanFleetError
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.result import AnyResult, RunCodeResult
from producer.settings import Settings
from producer.state import CommandStep, SorryStep, StateRef
from producer.sync import SyncClient
from tasks.stack.ports import claim
from tests.integration.client.responder import Responder
from tests.waiting import wait_until

HOLE = StateRef(project="p", steps=(CommandStep("theorem t : True := by sorry"), SorryStep(0)))


@pytest.mark.usefixtures("responder")
def test_every_verb_works_and_nothing_runs_on_afterwards(settings: Settings) -> None:
    threads = set(threading.enumerate())
    with connect_sync(settings=settings) as fleet:
        assert fleet.run_code("x").messages[0].data == "x"
        assert fleet.run_tactic(HOLE, "simp").goals == ("simp",)
        assert len(fleet.run_tactics(HOLE, ["a", "b"]).tactics) == 2
        assert fleet.export_state(HOLE).state == HOLE
        assert fleet.import_state(HOLE).state == HOLE
        assert fleet.verify_proof("theorem t : p := sorry", "theorem t : p := h", strength="kernel").is_proved
        assert fleet.submit(RunCode(code="y")).result(30).ok
        assert "SyncClient" in repr(fleet)
    assert set(threading.enumerate()) == threads


@pytest.mark.usefixtures("responder")
def test_many_threads_share_one_client(settings: Settings) -> None:
    with connect_sync(settings=settings) as fleet, ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda number: fleet.run_code(f"#eval {number}"), range(300)))
    assert [result.messages[0].data for result in results] == [f"#eval {number}" for number in range(300)]


@pytest.mark.usefixtures("responder")
async def test_it_works_where_a_loop_is_running_already(settings: Settings) -> None:
    """As in a notebook's cell."""
    assert asyncio.get_running_loop().is_running()
    with connect_sync(settings=settings) as fleet:
        assert fleet.run_code("x").ok


@pytest.mark.usefixtures("responder")
def test_stream_and_map(settings: Settings) -> None:
    operations = [RunCode(code=f"#eval {number}") for number in range(200)]
    with connect_sync(settings=settings) as fleet:
        done = list(fleet.stream(operations, window=32))
        assert sorted(each.place for each in done) == list(range(200))
        assert all(each.operation is operations[each.place] for each in done)
        results = fleet.map(operations, window=32)
        assert [result.messages[0].data for result in results if isinstance(result, RunCodeResult)] == [
            operation.code for operation in operations
        ]


@pytest.mark.usefixtures("responder")
def test_operations_that_are_made_of_answers_can_be_mapped(settings: Settings) -> None:
    with connect_sync(settings=settings) as fleet:
        codes = (fleet.run_code(f"#eval {number}").messages[0].data for number in range(3))
        results = fleet.map(RunCode(code=f"{code} + 1") for code in codes)
    assert [result.messages[0].data for result in results if isinstance(result, RunCodeResult)] == [
        f"#eval {number} + 1" for number in range(3)
    ]


@pytest.mark.usefixtures("responder")
def test_whoever_would_wait_for_himself_is_told(settings: Settings, tmp_path: Path) -> None:
    with connect_sync(settings=settings, store_url=tmp_path.as_uri()) as fleet:
        texts = ({"id": "a", "code": fleet.run_code("x").messages[0].data} for _ in range(1))
        with pytest.raises(LeanFleetError, match="ask in another thread"):
            fleet.batches.submit(texts)
        assert fleet.run_code("x").ok


def test_the_verbs_are_those_of_the_client() -> None:
    for blocking, other in ((SyncClient, Client), (SyncBatches, Batches)):
        verbs = {name for name, each in vars(other).items() if not name.startswith("_") and callable(each)}
        assert verbs - {"close"} <= set(vars(blocking))
        for name in verbs - {"close", "stats"}:
            assert list(parameters(vars(blocking)[name])) == list(parameters(vars(other)[name])), name
    assert not inspect.iscoroutinefunction(SyncClient.run_code)
    assert SyncClient.run_code.__doc__ == Client.run_code.__doc__


def parameters(function: Any) -> Iterable[tuple[str, object]]:
    return ((each.name, each.default) for each in inspect.signature(function).parameters.values())


def test_leaving_a_stream_withdraws_the_rest(settings: Settings, responder: Responder) -> None:
    responder.answer = lambda delivery: RunCodeResult(outcome=Outcome.OK) if delivery.operation.label == "0" else None
    with connect_sync(settings=settings) as fleet:
        stream = fleet.stream((RunCode(code=str(number)) for number in range(100)), window=10)
        assert next(stream).place == 0
        stream.close()
        wait_until(lambda: fleet.in_flight == 0, "the rest is withdrawn")


def test_cancelling_a_submitted_operation_withdraws_it(settings: Settings) -> None:
    with connect_sync(settings=settings) as fleet:
        future = fleet.submit(RunCode(code="x"))
        wait_until(lambda: fleet.in_flight == 1, "it is submitted")
        assert future.cancel()
        wait_until(lambda: fleet.in_flight == 0, "it is withdrawn")


def test_closing_ends_what_other_threads_wait_for(settings: Settings) -> None:
    with ThreadPoolExecutor(3) as pool:
        fleet = SyncClient(settings)
        with fleet:
            waiting = [pool.submit(fleet.run_code, "x") for _ in range(3)]
            wait_until(lambda: fleet.in_flight == 3, "all are submitted")
        wait(waiting, timeout=120)
        assert all(isinstance(each.exception(), ClientClosedError) for each in waiting)
    fleet.close()
    with pytest.raises(ClientClosedError):
        fleet.run_code("x")
    with pytest.raises(ClientClosedError), fleet:
        pytest.fail("entered twice")


@pytest.mark.usefixtures("responder")
def test_closing_is_not_held_up_by_threads_that_go_on_asking_and_leaves_no_call_open(settings: Settings) -> None:
    given: list[Future[AnyResult]] = []

    def ask() -> None:
        with contextlib.suppress(ClientClosedError):
            while True:
                given.append(fleet.submit(RunCode(code="x")))

    with ThreadPoolExecutor(4) as pool:
        fleet = connect_sync(settings=settings).__enter__()
        asking = [pool.submit(ask) for _ in range(4)]
        wait_until(lambda: len(given) > 100, "all ask")
        fleet.close()
        assert not wait(asking, 30).not_done
    assert not wait(given, 30).not_done


def test_what_cannot_work_is_raised_where_it_was_asked(settings: Settings) -> None:
    with pytest.raises(ClientClosedError, match=r"with leanfleet\.connect_sync"):
        SyncClient(settings).run_code("x")
    with connect_sync(settings=settings) as fleet, pytest.raises(InvalidInputError):
        fleet.run_tactics(HOLE, [])
    nowhere = Settings(broker_url=f"redis://127.0.0.1:{claim(None, option='')}/0", connect_attempts=1)
    threads = set(threading.enumerate())
    with pytest.raises(BrokerUnavailableError, match="gave up after 1"), connect_sync(settings=nowhere):
        pytest.fail("connected to nothing")
    wait_until(lambda: set(threading.enumerate()) == threads, "no thread is left")


def test_ctrl_c_ends_a_script_that_waits(settings: Settings, responder: Responder, tmp_path: Path) -> None:
    responder.answer = lambda _: None
    script = tmp_path / "script.py"
    script.write_text(
        "import leanfleet\n"
        f"with leanfleet.connect_sync(broker_url={settings.broker_url!r}, queue={settings.queue!r}) as fleet:\n"
        "    try:\n"
        "        fleet.run_code('x')\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', fleet.in_flight >= 0)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: responder.deliveries, "it waits")
        os.kill(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert (output, errors, process.returncode) == ("interrupted True\n", "", 0)
