"""Connections to Redis or Valkey, with their errors in our words.

Tries are repeated by our own loops and not by redis-py: they log, back off for longer, and never give up by themselves.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff

from producer.errors import BrokerUnavailableError, SettingsError
from producer.settings import without_password

CONNECT_SECONDS = 5.0
# Longer than any wait that we ask a server for; a connection that is silent for this long is taken for half-open.
READ_SECONDS = 15.0
DEFAULT_SENTINEL_PORT = 26379

REFUSALS = (
    redis.exceptions.AuthenticationError,
    redis.exceptions.AuthorizationError,
    redis.exceptions.NoPermissionError,
)


def open_redis(url: str, *, name: str = "leanfleet-client") -> Redis:
    """A client for `url` that connects at its first command; every failure is raised at once.

    Args:
        name: what CLIENT LIST calls its connections.
        url: `redis://`, `rediss://`, or `sentinel://host:port;sentinel://host:port/db?master_name=NAME`.

    Raises:
        SettingsError: the URL is not one of these.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": READ_SECONDS,
        "socket_keepalive": True,
        "client_name": name,
        "retry": Retry(NoBackoff(), 0),
    }
    try:
        if urlsplit(url).scheme == "sentinel":
            return _open_sentinel(url, options)
        return _cancellable(Redis.from_url(url, **options))
    except ValueError as error:
        raise SettingsError(f"not a Redis or Valkey address: {without_password(url)} ({error})") from error


def _open_sentinel(url: str, options: dict[str, Any]) -> Redis:
    parts = [urlsplit(part) for part in url.split(";")]
    names = parse_qs(parts[-1].query).get("master_name")
    if not names:
        raise ValueError("it needs ?master_name=NAME at its end")
    hosts = [(part.hostname or "localhost", part.port or DEFAULT_SENTINEL_PORT) for part in parts]
    user = next((unquote(part.username) for part in parts if part.username), None)
    password = next((unquote(part.password) for part in parts if part.password), None)
    database = int(parts[-1].path.strip("/") or 0)
    sentinel = Sentinel(hosts, sentinel_kwargs=options, username=user, password=password, db=database, **options)  # type: ignore[no-untyped-call] # redis-py left it untyped
    for each in sentinel.sentinels:
        _cancellable(each)
    return _cancellable(sentinel.master_for(names[0], redis_class=_GuardedRedis))


class _CancellableConnection:
    """A connection of redis-py whose sending can be cancelled.

    redis-py sends under `asyncio.wait_for`, which up to Python 3.11 ignores a cancellation that comes as the task is
    about to go on: https://github.com/python/cpython/issues/86296. Whoever waits for its end would wait forever.
    """

    socket_timeout: float | None

    async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        connection: Any = self
        if not connection.is_connected:
            await connection.connect()
        seconds, self.socket_timeout = self.socket_timeout, None  # then redis-py sends without `wait_for`
        try:
            async with asyncio.timeout(seconds):
                await super().send_packed_command(*args, **kwargs)  # type: ignore[misc] # of the class mixed in
        except TimeoutError as error:
            raise redis.exceptions.TimeoutError("Timeout writing to socket") from error
        finally:
            self.socket_timeout = seconds


def _cancellable(client: Redis) -> Redis:
    pool = client.connection_pool
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_CancellableConnection, kind), {})
    return client


class _GuardedRedis(Redis):
    """Closes its connections to the sentinels, too, which redis-py leaves open."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


@contextmanager
def broker_errors(url: str) -> Iterator[None]:
    """Turn what redis-py raises into BrokerUnavailableError.

    Errors that the server itself answers are among them: out of memory, loading, read-only and the like all pass
    with time, and what does not pass with time is at least named in the log.
    """
    try:
        yield
    except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
        text = str(error) or type(error).__name__
        if isinstance(error, MasterNotFoundError):
            # redis-py goes on with each sentinel's connection pool.
            text = f"{text.partition(' : ')[0]}: does a sentinel answer there, and know a primary of that name?"
        raise BrokerUnavailableError(f"the broker at {without_password(url)} cannot be used: {text}") from error
