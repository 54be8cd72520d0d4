"""Checking many texts on a fleet: what `leanfleet check` does, for programs."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from typing import NamedTuple

import msgspec

from producer.client import Client
from producer.files import Text
from producer.judgement import Judgement
from producer.operation import VerifyProof
from producer.result import VerifyProofResult
from producer.tasklets import stop


class Checked(NamedTuple):
    """A text and what became of it. `seconds` is how long its caller waited, queue and audit included."""

    text: Text
    result: VerifyProofResult
    judgement: Judgement
    seconds: float

    @property
    def as_expected(self) -> bool | None:
        """Whether it ended as its `expect` says; None without one."""
        return None if self.text.expect is None else self.text.expect.is_met(self.judgement)

    @property
    def is_fine(self) -> bool:
        """Whether it is proved or, where something was expected, ended as that."""
        return self.judgement.verdict == "proved" if self.as_expected is None else self.as_expected

    def to_json(self) -> bytes:
        """The line that `leanfleet check --json` prints."""
        line: dict[str, object] = {
            "id": self.text.id,
            "verdict": self.judgement.verdict,
            "outcome": self.judgement.outcome,
            "reasons": self.judgement.reasons,
            "seconds": round(self.seconds, 6),
        }
        if self.as_expected is not None:
            line["as_expected"] = self.as_expected
        return msgspec.json.encode(line)


async def check_text(fleet: Client, text: Text, *, deadline_seconds: float | None = None) -> Checked:
    """Have a text verified; raises what the client's verbs raise."""
    started = time.monotonic()
    operation = VerifyProof(
        proof=text.operation.code,
        statement=text.statement,
        timeout_seconds=text.operation.timeout_seconds,
        memory_bytes=text.operation.memory_bytes,
    )
    result = await fleet.submit(operation, deadline_seconds=deadline_seconds)
    return Checked(text, result, result.judgement, time.monotonic() - started)


async def check_texts(
    fleet: Client, texts: Iterable[Text], *, window: int = 256, deadline_seconds: float | None = None
) -> AsyncGenerator[Checked]:
    """Check texts, at most `window` at a time, and yield each when it is done.

    `deadline_seconds` bounds each operation's wait, queue included. Leaving the loop early withdraws the rest, at once
    under `contextlib.aclosing`.
    """
    source = iter(texts)
    checked: asyncio.Queue[Checked | None] = asyncio.Queue(maxsize=window)

    async def lane() -> None:
        try:
            for text in source:  # shared: each lane takes the next one
                await checked.put(await check_text(fleet, text, deadline_seconds=deadline_seconds))
        finally:
            await checked.put(None)

    lanes = [asyncio.create_task(lane()) for _ in range(window)]
    try:
        for _ in lanes:
            while (one := await checked.get()) is not None:
                yield one
        for ended in lanes:
            ended.result()
    finally:
        await stop(*lanes)
