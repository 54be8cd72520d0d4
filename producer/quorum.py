"""RabbitMQ as producers and workers both must see it: where it is, and in what kind of queue operations wait.

Whoever comes first declares the queue, and RabbitMQ refuses everybody who then asks for another kind.
"""

import ssl
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from producer.errors import SettingsError
from producer.settings import without_password

SCHEMES = ("amqp", "amqps")
_PORTS = {"amqp": 5672, "amqps": 5671}
_CHECKS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

# Replicated, on disk, and counting deliveries: https://www.rabbitmq.com/docs/quorum-queues. Poison is counted and
# answered by workers; RabbitMQ 4 would by itself drop what was delivered 20 times. Its limit for how long a delivery
# may stay unacknowledged (30 minutes by default, then the worker's channel ends) is above every operation's; before
# 3.12 it is in the server's configuration alone.
QUEUE_ARGUMENTS: dict[str, object] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,
    "x-consumer-timeout": 24 * 3600 * 1000,
}


class AmqpAddress(NamedTuple):
    """One node. `tls` is what py-amqp takes as `ssl`; None for a connection without it."""

    host: str
    port: int
    user: str
    password: str
    virtual_host: str
    tls: dict[str, Any] | None


def amqp_addresses(url: str) -> tuple[AmqpAddress, ...]:
    """Split `amqp://user:password@host:port/virtual-host`, or several of them separated by semicolons: one cluster.

    A server's certificate is checked unless the URL says `ssl_cert_reqs=none`. `ssl_ca_certs`, `ssl_certfile` and
    `ssl_keyfile` name files, as in a `rediss://` URL. What stands behind the `?` of the last URL holds for all.

    Raises:
        SettingsError: another scheme, an impossible port, or an unknown value for `ssl_cert_reqs`.
    """
    parts = [urlsplit(each) for each in url.split(";")]
    query = {name: values[-1] for name, values in parse_qs(parts[-1].query).items()}
    addresses = []
    for part in parts:
        if part.scheme not in SCHEMES:
            raise SettingsError(
                f"not an address of RabbitMQ: {without_password(part.geturl())} (use amqp:// or amqps://)"
            )
        try:
            port = part.port or _PORTS[part.scheme]
        except ValueError as error:
            raise SettingsError(f"not an address of RabbitMQ: {without_password(part.geturl())} ({error})") from error
        host = part.hostname or "localhost"
        addresses.append(
            AmqpAddress(
                host=host,
                port=port,
                user=unquote(part.username or "guest"),
                password=unquote(part.password or "guest"),
                virtual_host=unquote(part.path[1:]) or "/",
                tls=tls_options(query, server_hostname=host) if part.scheme == "amqps" else None,
            )
        )
    return tuple(addresses)


def tls_options(query: dict[str, str], *, server_hostname: str | None) -> dict[str, Any]:
    """What py-amqp takes as `ssl`, from a URL's query. Raise SettingsError for an unknown `ssl_cert_reqs`."""
    check = certificate_check(query)
    files = {name: query[f"ssl_{name}"] for name in ("ca_certs", "certfile", "keyfile") if f"ssl_{name}" in query}
    checked = {"server_hostname": server_hostname} if check is ssl.CERT_REQUIRED else {}
    return {"cert_reqs": check, **checked, **files}


def certificate_check(query: dict[str, str]) -> ssl.VerifyMode:
    """How far a server's certificate is checked, by a URL's query. Raise SettingsError for an unknown `ssl_cert_reqs`.

    Everybody checks it unless the URL says otherwise, though some libraries by themselves would not.
    """
    required = query.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if required not in _CHECKS:
        raise SettingsError(f"ssl_cert_reqs must be none, optional or required, not {query['ssl_cert_reqs']!r}")
    return _CHECKS[required]
