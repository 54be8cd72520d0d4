"""What a publisher hears when the broker is gone: an error that it waits for, and none of redis-py's."""

import socket

import pytest

from producer.batch.mailbox import Lock
from producer.connection import open_redis
from producer.errors import BrokerUnavailableError


async def test_a_lock_that_cannot_be_renewed_is_an_outage() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody_listens.getsockname()[1]}"
        redis = open_redis(url)
        try:
            with pytest.raises(BrokerUnavailableError):
                await Lock(redis, url, "key", "token").renew()
        finally:
            await redis.aclose()
