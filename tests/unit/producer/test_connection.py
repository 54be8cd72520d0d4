import pytest
import redis.exceptions

from producer.connection import broker_errors, open_redis
from producer.errors import BrokerUnavailableError, SettingsError
from producer.publisher import open_publisher


@pytest.mark.parametrize("url", ["", "http://x", "localhost:6379", "redis://host:notaport/0", "sentinel://a:1/0"])
def test_an_address_that_is_none_is_refused_with_its_text(url: str) -> None:
    with pytest.raises(SettingsError, match="not a Redis or Valkey address"):
        open_redis(url)


def test_a_broker_that_cannot_be_published_to_is_refused_without_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        open_publisher("sqs://me:secret@host//")
    assert "sqs://me:***@host" in caught.value.message
    assert "secret" not in caught.value.message


def test_a_socket_is_no_broker_since_replies_and_workers_do_not_use_one() -> None:
    with pytest.raises(SettingsError, match=r"use redis://"):
        open_publisher("unix:///run/valkey.sock")


async def test_a_sentinel_address_names_all_sentinels_the_master_and_the_database() -> None:
    client = open_redis("sentinel://:pw@one:26380;sentinel://two/3?master_name=main")
    pool = client.connection_pool
    assert pool.service_name == "main"  # type: ignore[attr-defined]
    sentinels = pool.sentinel_manager.sentinels  # type: ignore[attr-defined]
    hosts = [sentinel.connection_pool.connection_kwargs for sentinel in sentinels]
    assert [(host["host"], host["port"]) for host in hosts] == [("one", 26380), ("two", 26379)]
    assert pool.connection_kwargs["db"] == 3
    assert pool.connection_kwargs["password"] == "pw"  # noqa: S105 - of a server that is not there
    await client.aclose()


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.ConnectionError("refused"),
        redis.exceptions.TimeoutError("slow"),
        redis.exceptions.ResponseError("OOM command not allowed when used memory > 'maxmemory'."),
        redis.exceptions.BusyLoadingError("loading"),
        ConnectionResetError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_redis_py_raises_is_the_broker_being_unavailable(error: Exception) -> None:
    with (
        pytest.raises(BrokerUnavailableError, match=r"redis://:\*\*\*@host cannot be used"),
        broker_errors("redis://:secret@host"),
    ):
        raise error
