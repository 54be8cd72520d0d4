"""A worker that does as it is told: it consumes with kombu, as a real one does, and replies what the test says."""

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import kombu
import msgspec
import redis
import redis.exceptions

from producer.envelope import BatchPlace
from producer.judgement import Verdict
from producer.keys import OPEN, REPLY_TTL_SECONDS, reply_key
from producer.operation import AnyOperation, ExportState, ImportState, RunCode, RunTactics, VerifyProof
from producer.outcome import Outcome
from producer.reply import Reply, encode_reply
from producer.result import (
    AnyResult,
    ExportStateResult,
    ImportStateResult,
    Message,
    RunCodeResult,
    RunTacticsResult,
    TacticResult,
    VerifyProofResult,
)
from tasks.redelivery.connection import LeaseConnection
from tasks.redelivery.keeper import Keeper
from tasks.redelivery.keys import QueueKeys
from tests.lanes import waiting


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message as it arrived."""

    call_id: str
    operation: AnyOperation
    header: dict[str, Any]
    headers: dict[str, Any]


def echo(operation: AnyOperation) -> AnyResult:
    """Everything works, and the answer shows what was asked."""
    match operation:
        case RunCode():
            return RunCodeResult(outcome=Outcome.OK, messages=(Message(severity="info", data=operation.code),))
        case RunTactics():
            tactics = tuple(TacticResult(outcome=Outcome.OK, goals=(tactic,)) for tactic in operation.tactics)
            return RunTacticsResult(outcome=Outcome.OK, tactics=tactics)
        case ExportState():
            return ExportStateResult(outcome=Outcome.OK, state=operation.state)
        case ImportState():
            return ImportStateResult(outcome=Outcome.OK, goals=("⊢ True",))
        case VerifyProof():
            said = (Message(severity="info", data=operation.proof),)
            return VerifyProofResult(outcome=Outcome.OK, verdict=Verdict.PROVED, messages=said)


@dataclass(kw_only=True)
class Responder:
    """Runs in a thread while the `with` lasts. `answer` gives a result, or None for a message that is lost."""

    url: str
    queue: str = "leanfleet"
    answer: Callable[[Delivery], AnyResult | None] = field(default=lambda delivery: echo(delivery.operation))
    deliveries: list[Delivery] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._redis = redis.Redis.from_url(self.url)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with LeaseConnection(self.url, transport_options={"polling_interval": 0.1}) as connection:
                    self._consume(connection)
            except (kombu.exceptions.OperationalError, redis.exceptions.RedisError, OSError):
                self._stop.wait(0.05)

    def _consume(self, connection: Any) -> None:
        # A worker's keeper does it when the lease is over: what a connection that was cut had taken is lost else.
        Keeper(lease_seconds=0.0, max_lease_seconds=0.0).sweep(QueueKeys.of(self.queue), self._redis)
        queue = kombu.Queue(self.queue, exchange=kombu.Exchange(""), routing_key=self.queue)
        with connection.Consumer(queue, callbacks=[self._received], accept=["json"]) as consumer:
            consumer.qos(prefetch_count=64)
            while not self._stop.is_set():
                try:
                    connection.drain_events(timeout=0.05)
                except TimeoutError:
                    continue

    def _received(self, body: Any, message: Any) -> None:
        arguments, keywords, _ = body
        assert arguments == []
        kind = message.headers["task"].removeprefix("leanfleet.")
        delivery = Delivery(
            call_id=message.headers["id"],
            operation=msgspec.convert({**keywords, "kind": kind}, AnyOperation),
            header=message.headers["leanfleet"],
            headers=message.headers,
        )
        self.deliveries.append(delivery)
        result = self.answer(delivery)
        if result is not None:
            self.reply(delivery, result)
        message.ack()

    def reply(self, delivery: Delivery, result: AnyResult) -> None:
        if (batch := delivery.header.get("batch")) is not None:
            answers = msgspec.convert(batch, BatchPlace).key
            if self._redis.hexists(answers, OPEN):
                data = encode_reply(Reply(call_id=delivery.call_id, result=result))
                self._redis.hsetnx(answers, str(batch["place"]), data)
            return
        key = reply_key(delivery.header["reply_to"])
        pipe = self._redis.pipeline(transaction=False)
        pipe.rpush(key, encode_reply(Reply(call_id=delivery.call_id, result=result)))
        pipe.expire(key, REPLY_TTL_SECONDS)
        pipe.execute()


def envelopes(client: redis.Redis, queue: str = "leanfleet") -> list[tuple[dict[str, Any], Any]]:
    """What waits in a queue: each envelope and its decoded body; of each producer and priority, the oldest first."""
    found = [json.loads(data) for data in waiting(client, queue)]
    return [(envelope, json.loads(base64.b64decode(envelope["body"]))) for envelope in found]
