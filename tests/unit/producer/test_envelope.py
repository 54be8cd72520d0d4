"""Our messages against those of Celery and kombu themselves."""

import base64
import json
from typing import Any, cast

import celery
import kombu
import msgspec
import pytest
from kombu.transport.virtual import Message

from producer.envelope import CallHeader, TaskMessage, redis_envelope, task_message
from producer.operation import AnyOperation, ExportState, RunCode, RunTactics
from producer.state import CommandStep, SorryStep, StateRef

HOLE = StateRef(header="import Lean", steps=(CommandStep("theorem t : 1 = 1 := by sorry"), SorryStep(0)))
OPERATIONS: list[AnyOperation] = [
    RunCode(code="theorem «∀» : True := trivial"),
    RunCode(code="#eval 1", state=StateRef(header="import Lean"), timeout_seconds=1.5, memory_bytes=10**9),
    RunTactics(state=HOLE, tactics=("rfl", "simp")),
    ExportState(state=HOLE),
]
CALL = "0b5b6fd2-5a3e-4d6b-a3c9-a5c22a4bd3e4"


def message_of(operation: AnyOperation, deadline: float | None = None) -> TaskMessage:
    header = CallHeader(reply_to="me", enqueued_at=12.5, deadline=deadline)
    return task_message(CALL, operation, header, sent_by="1@here")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.kind)
def test_the_message_is_the_one_that_celery_would_send(operation: AnyOperation) -> None:
    arguments = msgspec.to_builtins(operation)
    del arguments["kind"]
    with celery.Celery(set_as_current=False) as app:
        theirs = app.amqp.as_task_v2(
            CALL,
            f"leanfleet.{operation.kind}",
            kwargs=arguments,
            origin="1@here",
            ignore_result=True,
            argsrepr=operation.label,
            kwargsrepr="",
        )
    ours = message_of(operation)
    headers = json.loads(msgspec.json.encode(ours.headers))
    assert headers.pop("leanfleet") == {"reply_to": "me", "enqueued_at": 12.5}
    assert headers == json.loads(json.dumps(theirs.headers))
    assert json.loads(ours.body) == json.loads(json.dumps(theirs.body))


def test_the_envelope_is_the_one_that_kombu_would_push(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = json.loads(redis_envelope(message_of(OPERATIONS[0]), "queue"))
    pushed: dict[str, Any] = {}

    def put(queue: str, message: Any, **_: Any) -> None:
        pushed[queue] = message

    with kombu.Connection("memory://") as connection, connection.channel() as channel:
        monkeypatch.setattr(channel, "_put", put)
        kombu.Producer(channel).publish(
            json.loads(message_of(OPERATIONS[0]).body),
            routing_key="queue",
            serializer="json",
            headers=ours["headers"],
            correlation_id=CALL,
            reply_to="",
        )
    theirs = json.loads(json.dumps(pushed["queue"]))
    assert json.loads(base64.b64decode(ours.pop("body"))) == json.loads(base64.b64decode(theirs.pop("body")))
    tags = {ours["properties"].pop("delivery_tag"), theirs["properties"].pop("delivery_tag")}
    assert len(tags) == 2
    assert ours == theirs


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.kind)
def test_kombu_decodes_it_to_the_operation(operation: AnyOperation) -> None:
    envelope = json.loads(redis_envelope(message_of(operation, deadline=99.0), "queue"))
    with kombu.Connection("memory://") as connection, connection.channel() as channel:
        message = Message(envelope, channel=cast("Any", channel), accept={"application/json"})
        arguments, keywords, embed = message.decode()
    assert arguments == []
    kind = message.headers["task"].removeprefix("leanfleet.")
    assert msgspec.convert({**keywords, "kind": kind}, AnyOperation) == operation
    assert set(embed.values()) == {None}
    header: Any = message.headers["leanfleet"]
    assert header == {"reply_to": "me", "enqueued_at": 12.5, "deadline": 99.0}


def test_each_sending_is_a_delivery_of_its_own() -> None:
    message = message_of(OPERATIONS[0])
    tags = {json.loads(redis_envelope(message, "q"))["properties"]["delivery_tag"] for _ in range(100)}
    assert len(tags) == 100
