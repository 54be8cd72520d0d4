"""What a worker logs in the course of an operation names it."""

import asyncio
import json
import re
from typing import Any

from producer.batch.batches import Batches
from producer.client import Client
from producer.operation import RunCode
from producer.settings import Settings
from tests.integration.monitoring.conftest import StartMachine
from tests.waiting import DEADLINE_SECONDS, until

HANG = RunCode(code="%hang", timeout_seconds=0.3)


def lines(log: str) -> list[dict[str, Any]]:
    """Every line that a worker wrote must be JSON; one that it is just writing is none yet."""
    return [json.loads(line) for line in log.rpartition("\n")[0].splitlines()]


async def test_every_line_is_json_and_names_its_operation(start_machine: StartMachine, fleet: Client) -> None:
    machine = await asyncio.to_thread(start_machine, LOG_FORMAT="json")
    call = fleet.submit(HANG)
    await call

    def found() -> list[dict[str, Any]]:
        return [line for line in lines(machine.log()) if line.get("call_id") == call.id]

    await until(found, "its end was logged")
    line = found()[0]
    assert line["message"].endswith("timeout (1 uses)") or "timeout" in line["message"]
    assert (line["operation_id"], line["operation"]) == (HANG.id, "run_code")
    assert line["worker"].startswith("machine0@")
    # What the pool does for itself, starting another process say, belongs to no operation.
    assert any("call_id" not in line for line in lines(machine.log()))


async def test_a_batch_is_named_too_and_text_is_legible(
    start_machine: StartMachine, settings: Settings, tmp_path_factory: Any
) -> None:
    machine = await asyncio.to_thread(start_machine)
    stored = Settings(
        broker_url=settings.broker_url,
        queue=settings.queue,
        store_url=tmp_path_factory.mktemp("store").as_uri(),
    )
    async with Batches(stored) as batches:
        batch = await batches.submit([{"id": "p", "code": "%hang", "timeout_seconds": 0.3}])
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for _ in batches.watch(batch.id, every_seconds=0.05):
                pass
    wanted = re.compile(rf"\[call {batch.id}\.1\.0\.[0-9a-f]{{16}} batch {batch.id}\]")
    await until(lambda: wanted.search(machine.log()), f"the log has {wanted.pattern}")
