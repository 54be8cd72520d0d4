"""What nobody's client would send, straight into a real worker's queue; and answers that nobody wants to read."""

import base64
import json
import pickle
import uuid
from pathlib import Path
from typing import cast

import msgspec
import pytest
import redis

import leanfleet
from producer.operation import RECIPE_FACTOR
from producer.outcome import Outcome
from producer.settings import Settings
from producer.state import CommandStep, StateRef
from tasks.redelivery.dead import MAX_RAW_BYTES, DeadLetter, dead_key
from tasks.redelivery.keys import QueueKeys
from tasks.redelivery.message import SIZE_FACTOR
from tests.integration.redelivery.conftest import StartMachine
from tests.waiting import DEADLINE_SECONDS, until

MEGABYTE = 1_000_000


class Intruder:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.path,))  # type: ignore[return-value] # what pickle would call


def envelope(body: bytes, content_type: str, encoding: str) -> bytes:
    call_id = uuid.uuid4().hex
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": content_type,
            "content-encoding": encoding,
            "headers": {"task": "leanfleet.run_code", "id": call_id, "lang": "py", "timelimit": [None, None]},
            "properties": {
                "delivery_tag": uuid.uuid4().hex,
                "delivery_info": {"exchange": "", "routing_key": "x"},
                "body_encoding": "base64",
            },
        }
    ).encode()


async def test_pickles_and_yaml_are_refused_unread_and_the_worker_goes_on(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine, keys: QueueKeys, tmp_path: Path
) -> None:
    intruded = [tmp_path / name for name in ("pickle", "python-pickle", "yaml")]
    body = pickle.dumps(([], {"code": Intruder(intruded[0])}, {}))
    yaml = f"- []\n- code: !!python/object/apply:os.mkdir ['{intruded[2]}']\n- {{}}\n"
    broker.lpush(settings.queue, envelope(body, "application/x-python-serialize", "binary"))
    broker.lpush(settings.queue, envelope(body.replace(b"/pickle", b"/python"), "pickle", "binary"))
    broker.lpush(settings.queue, envelope(yaml.encode(), "application/x-yaml", "utf-8"))
    broker.lpush(settings.queue, envelope(body, "application/json", "binary"))  # no JSON, whatever it says
    machine = start_machine()
    async with leanfleet.connect(settings=settings) as fleet:
        assert (await fleet.run_code("%say hello", deadline_seconds=DEADLINE_SECONDS)).ok
    await until(lambda: not broker.exists(keys.queue, keys.leased, keys.leases), "nothing is waiting or held")
    assert machine.running
    assert not any(path.exists() for path in intruded)


async def test_what_is_too_large_for_a_message_is_a_dead_letter_of_which_the_beginning_is_kept(
    settings: Settings, broker: redis.Redis, start_machine: StartMachine, keys: QueueKeys
) -> None:
    limit = SIZE_FACTOR * settings.max_operation_bytes
    arguments = json.dumps([[], {"code": "x" * limit}, {}]).encode()
    broker.lpush(settings.queue, envelope(arguments, "application/json", "utf-8"))
    start_machine()
    async with leanfleet.connect(settings=settings) as fleet:
        assert (await fleet.run_code("%say hello", deadline_seconds=DEADLINE_SECONDS)).ok
    await until(lambda: broker.llen(dead_key(settings.queue)) == 1, "it is a dead letter")
    raw = cast("bytes", broker.lindex(dead_key(settings.queue), 0))
    letter = msgspec.json.decode(raw, type=DeadLetter)
    assert f"the limit is {limit:,}" in letter.reason
    assert len(base64.b64decode(letter.raw)) == MAX_RAW_BYTES
    await until(lambda: not broker.exists(keys.queue, keys.leased, keys.leases), "nothing is waiting or held")


async def test_what_is_too_large_to_send_is_refused_where_it_is_asked(settings: Settings) -> None:
    async with leanfleet.connect(settings=settings) as fleet:
        result = await fleet.run_code("x" * (100 * MEGABYTE))
        assert result.outcome is Outcome.INVALID_REQUEST
        assert "100,000,000 bytes and the limit is 1,000,000 (LEANFLEET_MAX_OPERATION_BYTES)" in result.reason
        steps = (CommandStep("x" * MEGABYTE),) * (RECIPE_FACTOR + 1)
        tried = await fleet.run_code("#check 1", state=StateRef(steps=steps))
        assert tried.outcome is Outcome.INVALID_REQUEST
        assert "the state's steps have 17,000,000 bytes" in tried.reason
        assert fleet.in_flight == 0


@pytest.mark.parametrize("order", ["%big 100000000", "%endless", "%stderr 100000000"])
async def test_100_megabytes_from_lean_end_in_an_outcome_and_harm_no_other(
    settings: Settings, start_machine: StartMachine, order: str
) -> None:
    machine = start_machine(WORKER_SIZE="1")
    async with leanfleet.connect(settings=settings) as fleet:
        result = await fleet.run_code(order, deadline_seconds=DEADLINE_SECONDS, timeout_seconds=10)
        assert result.outcome in {Outcome.REPL_DIED, Outcome.OUT_OF_MEMORY, Outcome.TIMEOUT, Outcome.OK}
        assert result.outcome is not Outcome.OK or order.startswith("%stderr")
        assert len(result.reason) < 10_000
        assert (await fleet.run_code("%say hello", deadline_seconds=DEADLINE_SECONDS)).ok
    assert machine.running
