import asyncio

import pytest

from tasks.delivery import Delivery
from tasks.errors import RevokedError
from tasks.held import Held


def delivery(call_id: str) -> Delivery:
    return Delivery(id=call_id, kind="run_code")


async def carried_out(held: Held, call_id: str, *, cleaned_up: list[str] | None = None) -> str:
    with held.carrying_out(delivery(call_id)):
        try:
            await asyncio.Event().wait()
        finally:
            if cleaned_up is not None:
                await asyncio.sleep(0)
                cleaned_up.append(call_id)
    return "done"


async def test_only_what_is_meant_is_ended_and_cleans_up_first() -> None:
    held, cleaned_up = Held(), list[str]()
    first = asyncio.create_task(carried_out(held, "first", cleaned_up=cleaned_up))
    second = asyncio.create_task(carried_out(held, "second"))
    await asyncio.sleep(0)
    assert held.end(RevokedError("enough"), lambda each: each.id == "first") == 1
    with pytest.raises(RevokedError, match="enough"):
        await first
    assert cleaned_up == ["first"]
    assert [each.id for each in held.deliveries.values()] == ["second"]
    second.cancel()
    await asyncio.wait([second])


async def test_twins_of_one_call_are_both_ended() -> None:
    held = Held()
    twins = [asyncio.create_task(carried_out(held, "call")) for _ in range(2)]
    await asyncio.sleep(0)
    assert held.end(RevokedError("enough"), lambda each: each.id == "call") == 2
    assert [type(error) for error in await asyncio.gather(*twins, return_exceptions=True)] == [RevokedError] * 2
    assert not held


async def test_what_is_being_ended_is_not_ended_again() -> None:
    held = Held()
    task = asyncio.create_task(carried_out(held, "call"))
    await asyncio.sleep(0)
    assert held.end(RevokedError("first"), lambda _: True) == 1
    assert held.end(RevokedError("second"), lambda _: True) == 0
    with pytest.raises(RevokedError, match="first"):
        await task


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    held = Held()
    task = asyncio.create_task(carried_out(held, "call"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not held
