"""Brokers behind TLS: what is sent is encrypted, and a server that cannot prove who it is gets nothing."""

import asyncio
import uuid
from pathlib import Path

import pytest

from producer.client import Client
from producer.errors import BrokerUnavailableError
from producer.settings import Settings
from tasks.stack.machine import Machine
from tasks.stack.ports import HOST
from tasks.stack.valkey import Valkey
from tests.certificates import Certificates
from tests.chaos.proxy import Proxy
from tests.machines import worker_environ
from tests.rabbitmq import RabbitMQ
from tests.waiting import DEADLINE_SECONDS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


async def _answers(settings: Settings, folder: Path) -> list[str]:
    environ = worker_environ(
        settings.broker_url, settings.queue, RESULT_URL=settings.result_url, REDELIVERY_LEASE_SECONDS="2"
    )
    machine = Machine("machine", directory=folder, environ=environ)
    machine.start()
    try:
        async with Client(settings) as fleet:
            calls = [asyncio.ensure_future(fleet.run_code(f"%say {number}")) for number in range(200)]
            # Threads acknowledge while the loop reads: both go through one encrypted connection.
            results = await asyncio.wait_for(asyncio.gather(*calls), DEADLINE_SECONDS)
        machine.ask_to_end()
        await asyncio.to_thread(machine.stop)
    finally:
        machine.kill()
    assert machine.exit_code == 0, machine.log_tail()
    return [result.messages[0].data for result in results]


async def test_a_valkey_behind_tls_carries_operations_and_replies(
    valkey: Valkey, certificates: Certificates, tmp_path: Path
) -> None:
    async with Proxy(valkey.port, tls=certificates.context()) as proxy:
        url = f"rediss://{HOST}:{proxy.port}/0?ssl_ca_certs={certificates.authority}"
        settings = Settings(broker_url=url, result_url=url, queue=f"tls-{uuid.uuid4().hex[:8]}")
        assert await _answers(settings, tmp_path) == [str(number) for number in range(200)]


async def test_a_rabbitmq_behind_tls_carries_operations(
    rabbitmq: RabbitMQ, valkey: Valkey, certificates: Certificates, tmp_path: Path
) -> None:
    async with Proxy(rabbitmq.port, tls=certificates.context()) as proxy:
        url = f"amqps://guest:guest@{HOST}:{proxy.port}//?ssl_ca_certs={certificates.authority}"
        settings = Settings(broker_url=url, result_url=valkey.url, queue=f"tls-{uuid.uuid4().hex[:8]}")
        assert await _answers(settings, tmp_path) == [str(number) for number in range(200)]


@pytest.mark.parametrize("scheme", ["rediss", "amqps"])
async def test_a_server_whose_certificate_nobody_signed_is_refused(
    scheme: str, valkey: Valkey, certificates: Certificates
) -> None:
    async with Proxy(valkey.port, tls=certificates.context()) as proxy:
        url = f"{scheme}://{HOST}:{proxy.port}/0"
        settings = Settings(broker_url=url, result_url=valkey.url, connect_attempts=1)
        with pytest.raises(BrokerUnavailableError, match=r"(?i)certificate"):
            async with Client(settings):
                pass
