"""The rights that the broker's user gets on AWS are enough for a fleet, on a real Valkey."""

import os
import re
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
from tests.infra.terraform import ROOT
from workers.scaling.observer import Observer


def access_string() -> str:
    text = (ROOT / "modules/aws/broker/main.tf").read_text(encoding="utf-8")
    [found] = re.findall(r'access_string = "([^"]+)"', text)
    return str(found)


async def test_the_brokers_user_may_do_what_a_fleet_does(tmp_path: Path) -> None:
    with Valkey(tmp_path / "valkey") as server:
        admin = open_redis(server.url)
        command: Any = admin.execute_command  # redis-py's has no types
        await command("ACL", "SETUSER", "fleet", ">password", *access_string().split())
        await admin.aclose()
        parts = urlsplit(server.url)
        settings = Settings(broker_url=f"redis://fleet:password@{parts.hostname}:{parts.port}/0", queue="rights")
        assert all(finding.level is not Level.ERROR for finding in await check_server(settings.broker_url))
        environ = {**os.environ, "LEANFLEET_BROKER_URL": settings.broker_url, "LEANFLEET_QUEUE": settings.queue}
        machine = Machine("machine1", directory=tmp_path, environ=environ, repls=1, events=False)
        machine.start()
        try:
            machine.wait_ready()
            async with leanfleet.connect(settings=settings) as fleet:
                assert (await fleet.run_code("theorem t : 1 + 1 = 2 := rfl")).ok
            redis = open_redis(settings.reply_url)
            observer = Observer(settings, redis)
            try:
                sight = await observer.look()
                assert [report.machine for report in sight.reports]
                command = redis.execute_command
                for forbidden in ("FLUSHALL", "CONFIG GET *", "KEYS *", "SHUTDOWN NOSAVE"):
                    with pytest.raises(REFUSALS):
                        await command(*forbidden.split())
            finally:
                await observer.close()
                await redis.aclose()
        finally:
            machine.stop()
