"""Answers from memory: an operation that was answered before need not be run again.

Lean is deterministic, so that the id of an operation decides its answer as long as nothing was cut short. The memory is
a Redis or Valkey that all workers share. Whatever is wrong with it, the operation is simply run.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import redis.exceptions
from redis.asyncio import Redis

from producer.operation import AnyOperation, RunCode, RunTactics, VerifyProof
from producer.result import AnyResult, Restored, RunCodeResult, RunTacticsResult, Timing, VerifyProofResult
from producer.tasklets import stop
from producer.unreadable import UNREADABLE

T = TypeVar("T")

_PREFIX = "leanfleet:answer:"
_INDEX = "leanfleet:answers"  # a sorted set: which answers there are, by when they were given
_DOING = "leanfleet:doing:"

# A worker that died is waited for no longer than this; one that lives says so three times as often.
DOING_SECONDS = 6.0
_POLL_FIRST_SECONDS = 0.01
_POLL_MOST_SECONDS = 0.25
# An answer must come faster than most operations run.
_REQUEST_SECONDS = 0.5
_DOWN_SECONDS = 10.0

# Only the one who put the mark there takes it away: it may have expired and be another's by now.
_UNMARK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"

log = logging.getLogger("leanfleet.answers")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AnyResult).decode

Do = Callable[[], Awaitable[AnyResult]]


def can_be_remembered(operation: AnyOperation) -> bool:
    """Exports and imports are wanted for what they do, not for what they say."""
    return isinstance(operation, RunCode | RunTactics | VerifyProof) and not operation.fresh


def is_deterministic(result: AnyResult) -> bool:
    """Whether every run would give this answer; of several tactics each one has to."""
    match result:
        case RunCodeResult() | VerifyProofResult():
            return result.outcome.is_deterministic
        case RunTacticsResult():
            return result.outcome.is_deterministic and all(each.outcome.is_deterministic for each in result.tactics)
        case _:
            return False


class Answers:
    """What was answered, for use in one event loop.

    `get_or_do` runs an operation at most once at a time: on this worker exactly so, among workers as far as they see
    each other's marks.
    """

    def __init__(
        self, redis_client: Redis, *, ttl_seconds: float, max_answers: int, max_answer_bytes: int, project: str
    ) -> None:
        """The client stays the caller's to close.

        Args:
            redis_client: its commands are each given half a second.
            ttl_seconds: how long an answer is remembered.
            max_answers: when there are more, the oldest are forgotten.
            max_answer_bytes: a longer one is not remembered.
            project: fingerprint of the Lean project; others have answers of their own.
        """
        self._redis = redis_client
        self._ttl_seconds = ttl_seconds
        self._max_answers = max_answers
        self._max_answer_bytes = max_answer_bytes
        self._project = project
        self._doing: dict[str, asyncio.Future[AnyResult]] = {}
        self.waiting = 0  # operations that wait for another one's answer
        self._down_until = 0.0
        self._unmark = redis_client.register_script(_UNMARK)

    async def get_or_do(self, operation: AnyOperation, do: Do) -> AnyResult:
        """The remembered answer, marked as such, or what `do` gives, which is then remembered."""
        if not can_be_remembered(operation):
            return await do()
        key = self._key(operation)
        while (other := self._doing.get(key)) is not None:
            # Not its exception nor its cancellation: then this one has to do it itself.
            with self._wait():
                await asyncio.wait([other])
            if not other.cancelled() and other.exception() is None and is_deterministic(other.result()):
                return _from_memory(other.result())
        mine: asyncio.Future[AnyResult] = asyncio.get_running_loop().create_future()
        self._doing[key] = mine
        try:
            result = await self._get_or_do(key, do)
            mine.set_result(result)
            return result
        finally:
            mine.cancel()
            del self._doing[key]

    def __repr__(self) -> str:
        return f"<Answers: {len(self._doing)} under way, {self.waiting} waiting for another's>"

    @contextmanager
    def _wait(self) -> Iterator[None]:
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def _key(self, operation: AnyOperation) -> str:
        # The limits are no part of an operation's id, and a deterministic answer does not depend on them.
        return hashlib.sha256(f"{self._project}:{operation.id}".encode()).hexdigest()

    async def _get_or_do(self, key: str, do: Do) -> AnyResult:
        token = secrets.token_hex(8)
        answer = await self._wait_for_answer(key, token)
        if answer is not None:
            return answer
        beat = asyncio.create_task(self._beat(key))
        try:
            result = await do()
        except BaseException:
            await stop(beat)
            await self._forget_mark(key, token)
            raise
        await stop(beat)
        if is_deterministic(result):
            await self._remember(key, result)
        await self._forget_mark(key, token)
        return result

    async def _wait_for_answer(self, key: str, token: str) -> AnyResult | None:
        """The answer, waited for while another worker is at it; None when it is ours to give."""
        pause = _POLL_FIRST_SECONDS
        while True:
            # The mark first: were the answer asked for first, it could come and its mark go between the two.
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(_DOING + key, token, nx=True, px=int(1000 * DOING_SECONDS))
            pipeline.get(_PREFIX + key)
            replies = await self._request(pipeline.execute())
            if replies is None:
                return None
            marked, data = replies
            answer = _decoded(data) if data is not None else None
            if answer is not None:
                if marked:
                    await self._forget_mark(key, token)
                return answer
            if marked:
                return None
            with self._wait():
                await asyncio.sleep(pause)
            pause = min(2 * pause, _POLL_MOST_SECONDS)

    async def _beat(self, key: str) -> None:
        while True:
            await asyncio.sleep(DOING_SECONDS / 3)
            await self._request(self._redis.pexpire(_DOING + key, int(1000 * DOING_SECONDS)))

    async def _forget_mark(self, key: str, token: str) -> None:
        await self._request(self._unmark(keys=[_DOING + key], args=[token]))

    async def _remember(self, key: str, result: AnyResult) -> None:
        data = _encode(result)
        if len(data) > self._max_answer_bytes:
            return
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_PREFIX + key, data, px=int(1000 * self._ttl_seconds))
        pipeline.zadd(_INDEX, {key: time.time()})
        pipeline.zcard(_INDEX)
        replies = await self._request(pipeline.execute())
        if replies is None or (surplus := replies[2] - self._max_answers) <= 0:
            return
        popped: Awaitable[Any] = self._redis.zpopmin(_INDEX, surplus)
        oldest: list[tuple[bytes, float]] | None = await self._request(popped)
        if oldest:
            await self._request(self._redis.delete(*(_PREFIX.encode() + key for key, _ in oldest)))

    async def _request(self, request: Awaitable[T]) -> T | None:
        """One request, or None when the memory cannot be used. It is then left alone for a while."""
        if time.monotonic() < self._down_until:
            if asyncio.iscoroutine(request):
                request.close()
            return None
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                return await request
        except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
            self._down_until = time.monotonic() + _DOWN_SECONDS
            log.warning("answers are not remembered for %g s: %s", _DOWN_SECONDS, str(error) or type(error).__name__)
            return None


def _from_memory(result: AnyResult) -> AnyResult:
    return msgspec.structs.replace(result, cached=True, timing=Timing(), restored=Restored.NOTHING)


def _decoded(data: bytes) -> AnyResult | None:
    try:
        return _from_memory(_decode(data))
    except UNREADABLE:
        return None  # of another version, or none at all
