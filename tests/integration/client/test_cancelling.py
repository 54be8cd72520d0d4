"""Whoever is cancelled ends, wherever it waits for the broker, the store or an answer, and leaves nothing behind."""

import contextlib
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from producer.batch.batches import Batches
from producer.checking import check_texts
from producer.client import Client
from producer.files import Text
from producer.operation import RunCode
from producer.settings import Settings
from tests.cancelling import cancel_everywhere

pytestmark = pytest.mark.usefixtures("responder")


async def call(settings: Settings) -> None:
    async with Client(settings) as fleet:
        await fleet.run_code("x")
        fleet.submit(RunCode(code="y"))


async def stream(settings: Settings) -> None:
    async with Client(settings) as fleet:
        operations = [RunCode(code=f"#eval {number}") for number in range(5)]
        async with contextlib.aclosing(fleet.stream(operations, window=2)) as finished:
            assert len([done async for done in finished]) == 5


async def check(settings: Settings) -> None:
    async with Client(settings) as fleet:
        texts = [Text(id=name, operation=RunCode(code="x"), statement="", expect=None, where="") for name in "abc"]
        async with contextlib.aclosing(check_texts(fleet, texts, window=2)) as checked:
            assert len([one async for one in checked]) == 3


async def watch(settings: Settings) -> None:
    async with Batches(settings) as batches:
        batch_id = (await batches.submit(proofs())).id
        async with contextlib.aclosing(batches.watch(batch_id, every_seconds=0.005)) as statuses:
            assert [status async for status in statuses][-1].all_proved


async def give_up(settings: Settings) -> None:
    async with Batches(settings) as batches:
        with contextlib.suppress(Exception):  # answered already
            await batches.cancel((await batches.submit(proofs())).id)


def proofs() -> list[dict[str, str]]:
    """Of a batch of its own."""
    return [{"id": "a", "code": f"theorem t{uuid.uuid4().hex} : True := trivial"}]


@pytest.mark.parametrize("late", [False, True], ids=["as it waits", "as it goes on"])
@pytest.mark.parametrize("work", [call, stream, check, watch, give_up])
async def test_work_that_is_cancelled_ends(
    settings: Settings, tmp_path: Path, work: Callable[[Settings], Coroutine[Any, Any, None]], late: bool
) -> None:
    settings = msgspec.structs.replace(settings, store_url=tmp_path.as_uri())
    await cancel_everywhere(lambda: work(settings), late=late)
