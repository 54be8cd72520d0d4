"""A client without a fleet, for the tests of programs that use one."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from producer.client import Client
from producer.envelope import TASK_PREFIX, TaskMessage
from producer.lane import Lane
from producer.operation import AnyOperation
from producer.reply import Reply, decode_reply, encode_reply
from producer.result import AnyResult
from producer.settings import Settings
from producer.transport import Publisher, ReplyChannel

Answer = Callable[[AnyOperation], AnyResult | Awaitable[AnyResult]]


class _Asked(NamedTuple):
    call_id: str
    operation: AnyOperation


class _Script:
    """Both ways at once. What goes through it is encoded and decoded, as on a broker."""

    def __init__(self, answer: Answer, on_reply: Callable[[Reply], None]) -> None:
        self._answer = answer
        self._on_reply = on_reply
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue()
        self._revoked: set[str] = set()

    @property
    def is_away(self) -> bool:
        return False

    async def connect(self) -> None:
        """There is nothing that could be away."""

    async def publish(self, lane: Lane, messages: Sequence[TaskMessage]) -> None:  # noqa: ARG002 - all lanes are one
        for message in messages:
            _, arguments, _ = msgspec.json.decode(message.body)
            kind = str(message.headers["task"]).removeprefix(TASK_PREFIX)
            operation: AnyOperation = msgspec.convert({**arguments, "kind": kind}, AnyOperation)
            self._asked.put_nowait(_Asked(message.id, operation))

    async def backlog(self, lane: Lane) -> int:  # noqa: ARG002 - all lanes are one
        return self._asked.qsize()

    async def withdraw(self, lane: Lane) -> int:  # noqa: ARG002 - as above
        return 0

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    asked = await self._asked.get()
                    if asked.call_id not in self._revoked:
                        group.create_task(self._reply(asked))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # what the answer raised, for callers to read

    async def _reply(self, asked: _Asked) -> None:
        answer = self._answer(asked.operation)
        result = await answer if inspect.isawaitable(answer) else answer
        self._on_reply(decode_reply(encode_reply(Reply(call_id=asked.call_id, result=result))))

    async def revoke(self, call_ids: Sequence[str]) -> None:
        self._revoked.update(call_ids)

    async def forget(self) -> None:
        """Nothing is kept anywhere."""

    async def close(self) -> None:
        """There is no connection."""


class ScriptedClient(Client):
    """A `Client` whose operations are answered by a function in this process: no broker, no worker, no Lean.

    States are filled in as a real client does it, so that `answer` names none:

        def answer(operation):
            return leanfleet.RunTacticsResult(
                outcome="ok", tactics=[leanfleet.TacticResult(outcome="ok") for _ in operation.tactics]
            )

        async with leanfleet.ScriptedClient(answer) as fleet:
            await training_loop(fleet)

    `answer` may be a coroutine function. When it raises, every call of the client fails and says so.
    """

    def __init__(self, answer: Answer, settings: Settings | None = None) -> None:
        super().__init__(msgspec.structs.replace(settings or Settings(), broker_url="scripted://"))
        self._answer = answer

    def _open(self) -> tuple[Publisher, ReplyChannel]:
        script = _Script(self._answer, self._replied)
        return script, script
