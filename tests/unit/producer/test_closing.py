"""A part that cannot be closed keeps none of the others open."""

import asyncio

import pytest

from producer.api import RunCodeResult, ScriptedClient
from producer.operation import AnyOperation
from producer.transport import Publisher, ReplyChannel


class _Failing:
    """Stands before a way to the fleet, or back, whose closing fails, or waits until it is cancelled."""

    def __init__(self, way: object, *, hangs: bool = False) -> None:
        self._way = way
        self._hangs = hangs
        self.closed = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._way, name)

    async def close(self) -> None:
        self.closed.set()
        if self._hangs:
            await asyncio.Event().wait()
        raise OSError("cannot be closed")


class _Client(ScriptedClient):
    hangs = False

    def _open(self) -> tuple[Publisher, ReplyChannel]:
        publisher, replies = super()._open()
        self.ways = _Failing(publisher), _Failing(replies, hangs=self.hangs)
        return self.ways  # type: ignore[return-value] # it has what the real ones have


def answer(_: AnyOperation) -> RunCodeResult:
    return RunCodeResult(outcome="ok")  # type: ignore[arg-type] # as users write it


async def test_a_client_closes_both_ways_when_one_fails() -> None:
    with pytest.raises(OSError, match="cannot be closed"):
        async with _Client(answer) as fleet:
            assert (await fleet.run_code("x")).ok
    assert all(way.closed.is_set() for way in fleet.ways)


async def test_a_client_closes_both_ways_when_its_closing_is_cancelled() -> None:
    fleet = _Client(answer)
    fleet.hangs = True
    await fleet.__aenter__()
    closing = asyncio.create_task(fleet.close())
    async with asyncio.timeout(120):
        await fleet.ways[1].closed.wait()
        assert not fleet.ways[0].closed.is_set()
        closing.cancel()
        await asyncio.wait({closing})
    assert fleet.ways[0].closed.is_set()
