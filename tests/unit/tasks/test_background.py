"""What goes on beside operations does not end unnoticed."""

import asyncio

import pytest

from tasks.background import lasting
from tests.waiting import DEADLINE_SECONDS


async def test_what_fails_is_named_with_its_traceback_and_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    begun = 0
    works = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ValueError("no such thing")
        works.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(lasting("looking around", work, again_seconds=0.0))
    await asyncio.wait_for(works.wait(), DEADLINE_SECONDS)
    assert caplog.text.count("looking around failed") == 2
    assert "ValueError: no such thing" in caplog.text
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_done_is_not_begun_again() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1

    await asyncio.wait_for(lasting("this", work), DEADLINE_SECONDS)
    assert begun == 1
