"""What we changed of redis-py's connections, against servers."""

import asyncio
import contextlib

import pytest

from producer.connection import broker_errors, open_redis
from producer.errors import BrokerUnavailableError
from producer.settings import Settings


async def test_a_command_of_a_task_that_was_cancelled_just_before_is_cancelled(settings: Settings) -> None:
    async def ask() -> None:
        await redis.ping()  # connected: now only sending and reading can be cancelled
        asking.cancel()
        await redis.ping()

    async with contextlib.aclosing(open_redis(settings.broker_url)) as redis:
        asking = asyncio.create_task(ask())
        await asyncio.wait({asking})
        assert asking.cancelled()
        assert await redis.ping()


async def test_a_server_that_reads_no_more_is_unavailable() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.readuntil(b"LIB-VER")  # the last command of a greeting
            writer.write(b"+OK\r\n+OK\r\n")
            await over.wait()

    over = asyncio.Event()
    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0?protocol=2"
        async with open_redis(url, name="").client() as redis:
            assert redis.connection is not None
            redis.connection.socket_timeout = 0.1
            with pytest.raises(BrokerUnavailableError, match="Timeout writing to socket"), broker_errors(url):
                await redis.set("key", b"x" * 64_000_000)
        over.set()
