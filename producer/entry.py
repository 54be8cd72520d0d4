"""The ways in: a client from what is passed, from the environment, and from a settings file."""

import msgspec

from producer.client import Client
from producer.settings import Settings, load_settings
from producer.sync import SyncClient


def _settings(
    *,
    broker_url: str | None,
    store_url: str | None,
    result_url: str | None,
    queue: str | None,
    settings: Settings | None,
) -> Settings:
    """What `connect` is to use: see there."""
    settings = load_settings() if settings is None else settings
    given = {"broker_url": broker_url, "store_url": store_url, "result_url": result_url, "queue": queue}
    return msgspec.structs.replace(settings, **{name: value for name, value in given.items() if value is not None})


def connect(
    *,
    broker_url: str | None = None,
    store_url: str | None = None,
    result_url: str | None = None,
    queue: str | None = None,
    settings: Settings | None = None,
) -> Client:
    """A client, to be used as `async with leanfleet.connect() as fleet:`.

    Args:
        broker_url: where operations are published; this and the following go before what `settings` says.
        store_url: where states and batches are kept.
        result_url: a Redis or Valkey for replies, where the broker is none.
        queue: the queue's name.
        settings: everything at once; without it, `LEANFLEET_*` variables and `leanfleet.toml` are read.

    Raises:
        SettingsError: a setting is impossible, or no broker is known.
    """
    return Client(
        _settings(broker_url=broker_url, store_url=store_url, result_url=result_url, queue=queue, settings=settings)
    )


def connect_sync(
    *,
    broker_url: str | None = None,
    store_url: str | None = None,
    result_url: str | None = None,
    queue: str | None = None,
    settings: Settings | None = None,
) -> SyncClient:
    """A client, to be used as `with leanfleet.connect_sync() as fleet:`. It takes and raises what `connect` does."""
    return SyncClient(
        _settings(broker_url=broker_url, store_url=store_url, result_url=result_url, queue=queue, settings=settings)
    )
