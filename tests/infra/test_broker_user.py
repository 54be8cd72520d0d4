"""The rights of the broker's users on AWS are those of `leanfleet broker acl`, and enough for a fleet."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import leanfleet
from producer.connection import REFUSALS, open_redis
from producer.requirements import Level, check_server
from producer.settings import Settings
from tasks.stack.machine import Machine
from tasks.stack.valkey import Valkey
from tests.infra.rights import FILE, expected
from workers.scaling.observer import Observer

QUEUE = "rights"


def test_the_modules_rights_are_those_that_the_command_gives() -> None:
    assert FILE.read_text(encoding="utf-8") == expected(), "run python -m tests.infra.rights"


async def test_a_fleet_works_with_them(tmp_path: Path) -> None:
    rights: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    with Valkey(tmp_path / "valkey") as server:
        admin = open_redis(server.url)
        command: Any = admin.execute_command  # redis-py's has no types
        for user, text in rights.items():
            # As the module puts them together where there are several queues.
            rules = [word for queue in ("another", QUEUE) for word in text.replace("QUEUE", queue).split()]
            named = [word.replace("USER", user) for word in rules]
            await command("ACL", "SETUSER", user, "reset", "on", ">password", *named)
        parts = urlsplit(server.url)
        settings = {
            user: Settings(broker_url=f"redis://{user}:password@{parts.hostname}:{parts.port}/0", queue=QUEUE)
            for user in rights
        }
        assert all(finding.level is not Level.ERROR for finding in await check_server(settings["operator"].broker_url))
        environ = {**os.environ, "LEANFLEET_BROKER_URL": settings["worker"].broker_url, "LEANFLEET_QUEUE": QUEUE}
        machine = Machine("machine1", directory=tmp_path, environ=environ, repls=1, events=False)
        machine.start()
        redis = open_redis(settings["operator"].reply_url)
        observer = Observer(settings["operator"], redis)
        try:
            machine.wait_ready()
            async with leanfleet.connect(settings=settings["producer"]) as fleet:
                assert (await fleet.run_code("theorem t : 1 + 1 = 2 := rfl")).ok
            sight = await observer.look()
            assert [report.machine for report in sight.reports]
            denied: Any = await admin.acl_log()
            assert denied == []
            forbid: Any = redis.execute_command
            for forbidden in ("FLUSHALL", "CONFIG GET *", "KEYS *", "SHUTDOWN NOSAVE"):
                with pytest.raises(REFUSALS):
                    await forbid(*forbidden.split())
        finally:
            await observer.close()
            await redis.aclose()
            await admin.aclose()
            machine.stop()
