import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from producer.errors import BrokerUnavailableError
from producer.pump import BATCH, Pump
from producer.tasklets import stop


class Sink:
    """Takes what is pumped; `failures` of its next calls fail, after the items were seen."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failures = 0

    async def send(self, items: list[int]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError("away")
        self.batches.append(items)

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
async def pump(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pump[int]]:
    monkeypatch.setattr("producer.backoff.delay_seconds", lambda _: 0.0)
    pump: Pump[int] = Pump("pumping", sink.send, logger=logging.getLogger("leanfleet.test"))
    task = asyncio.create_task(pump.run())
    yield pump
    await stop(task)


async def test_what_is_pending_at_a_wake_up_goes_out_as_one_batch(pump: Pump[int], sink: Sink) -> None:
    pump.put_all(range(10))
    await pump.drained()
    assert sink.batches == [list(range(10))]


async def test_a_batch_is_bounded(pump: Pump[int], sink: Sink) -> None:
    pump.put_all(range(2 * BATCH + 1))
    await pump.drained()
    assert [len(batch) for batch in sink.batches] == [BATCH, BATCH, 1]
    assert sink.items == list(range(2 * BATCH + 1))


async def test_nothing_is_lost_and_the_order_is_kept_when_sending_fails(pump: Pump[int], sink: Sink) -> None:
    sink.failures = 3
    pump.put_all(range(BATCH + 5))
    await asyncio.sleep(0)
    pump.put(BATCH + 5)
    assert len(pump) > 0
    await pump.drained()
    assert sink.items == list(range(BATCH + 6))
    assert len(pump) == 0


async def test_it_works_on_after_it_was_idle(pump: Pump[int], sink: Sink) -> None:
    for item in range(3):
        pump.put(item)
        await pump.drained()
    assert sink.batches == [[0], [1], [2]]
