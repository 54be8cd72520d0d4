"""From the URLs that redis-py and our client understand to what Celery and kombu want to be told."""

from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit, urlunsplit

from producer.errors import SettingsError
from producer.quorum import amqp_addresses, certificate_check
from producer.settings import without_password

_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class RedisAddress(NamedTuple):
    """`tls` is None for a connection without it."""

    url: str
    options: dict[str, Any]
    tls: dict[str, Any] | None


def redis_address(url: str) -> RedisAddress:
    """Split a `redis://`, `rediss://` or `sentinel://…;sentinel://…/db?master_name=NAME` URL.

    A server's certificate is checked unless the URL says `ssl_cert_reqs=none`; Celery by itself would not check it.

    Raises:
        SettingsError: `ssl_cert_reqs` has an unknown value, or a Sentinel URL names no master.
    """
    *others, last = url.split(";")
    parts = urlsplit(last)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    plain = ";".join([*others, urlunsplit(parts._replace(query=""))])
    options: dict[str, Any] = {}
    if parts.scheme == "sentinel":
        if "master_name" not in query:
            raise SettingsError(f"{without_password(url)} names no master: put ?master_name=NAME at its end")
        options["master_name"] = query["master_name"]
    if parts.scheme != "rediss":
        return RedisAddress(plain, options, None)
    check = certificate_check(query)
    files = {name: query[name] for name in _TLS_FILES if name in query}
    return RedisAddress(plain, options, {"ssl_cert_reqs": check, **files})


def amqp_address(url: str) -> tuple[str, dict[str, Any] | None]:
    """Split an `amqp://` or `amqps://` URL, or several with semicolons, into what kombu takes as URL and as `ssl`.

    Raises:
        SettingsError: it is none.
    """
    first, *_ = amqp_addresses(url)
    plain = ";".join(urlunsplit(urlsplit(each)._replace(query="")) for each in url.split(";"))
    # kombu fills in the name of the host that it connects to.
    tls = (
        first.tls if first.tls is None or "server_hostname" not in first.tls else {**first.tls, "server_hostname": None}
    )
    return plain, tls
