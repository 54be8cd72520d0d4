"""A worker as far as these tests need one: it holds a pool of REPLs until it is killed. Run as a program.

Prints one line of JSON: the pids of the REPLs, of a child that one of them started, and of the guard.
"""

import asyncio
import json

from tests.integration.pool.processes import LONG_SECONDS
from tests.waiting import until
from workers.pool import AsyncLeanREPLPool
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse
from workers.settings import PoolSettings
from workers.testing.project import scripted_project


async def hold() -> None:
    pool = AsyncLeanREPLPool(scripted_project(), PoolSettings(size=2, spares=1))
    async with pool, pool.lease() as first, pool.lease() as second:
        response = await first.send(Command(code="%fork"), timeout_seconds=LONG_SECONDS)
        assert isinstance(response, CommandResponse)
        child = int(response.messages[0].data)
        await until(lambda: pool.snapshot().idle == 1, "the spare is there")
        pids = [repl.pid for repl in pool.snapshot().repls]
        print(json.dumps({"repls": pids, "child": child, "guard": pool._guard.pid}), flush=True)  # noqa: T201
        await second.send(Command(code="%hang"), timeout_seconds=3600.0)


if __name__ == "__main__":
    asyncio.run(hold())
