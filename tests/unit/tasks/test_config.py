import ssl
from typing import Any

import pytest

from producer.errors import SettingsError
from producer.settings import Settings
from tasks.address import redis_address
from tasks.config import THREADS_PER_REPL, make_config
from tasks.redelivery.settings import RedeliverySettings
from workers.settings import WorkerSettings


def config(broker_url: str, *, result_url: str = "", repls: int = 4) -> dict[str, Any]:
    settings = Settings(broker_url=broker_url, result_url=result_url, queue="q")
    return make_config(settings, WorkerSettings(size=repls), RedeliverySettings())


def test_nothing_but_json_is_decoded() -> None:
    assert config("redis://h:1/0")["accept_content"] == ["json"]


def test_a_delivery_is_acknowledged_after_its_operation_and_not_before() -> None:
    assert config("redis://h:1/0")["task_acks_late"] is True


def test_each_repl_has_its_next_operation_waiting_and_connections_for_all() -> None:
    made = config("redis://h:1/0", repls=8)
    assert made["worker_concurrency"] == 8 * THREADS_PER_REPL
    assert made["broker_transport_options"]["max_connections"] > made["worker_concurrency"]


def test_replies_go_where_the_result_url_says() -> None:
    assert config("redis://h:1/0", result_url="redis://other:2/3")["result_backend"] == "redis://other:2/3"


def test_the_certificate_of_a_rabbitmq_is_checked_and_its_url_is_one_that_kombu_knows() -> None:
    made = config("amqps://me:pw@h/v?ssl_ca_certs=/ca.pem", result_url="redis://h:1/0")
    assert made["broker_url"] == "amqps://me:pw@h/v"
    assert made["broker_use_ssl"] == {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": "/ca.pem", "server_hostname": None}
    assert config("amqp://h//", result_url="redis://h:1/0")["broker_use_ssl"] is None


@pytest.mark.parametrize(
    ("broker_url", "result_url", "message"),
    [
        ("", "", "no broker is named: set LEANFLEET_BROKER_URL"),
        ("amqp://h//", "", "set LEANFLEET_RESULT_URL"),
        ("sqs://", "redis://h:1/0", "no such broker: sqs"),
        ("localhost:6379", "redis://h:1/0", "no such broker: localhost"),
    ],
)
def test_what_cannot_be_a_broker_is_refused_with_advice(broker_url: str, result_url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        config(broker_url, result_url=result_url)


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("redis://h:1/0", None),
        ("rediss://h:1/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://h:1/0?ssl_cert_reqs=none", {"ssl_cert_reqs": ssl.CERT_NONE}),
        (
            "rediss://h:1/0?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=CERT_REQUIRED",
            {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/etc/ca.pem"},
        ),
    ],
)
def test_a_servers_certificate_is_checked_unless_the_url_says_otherwise(url: str, tls: dict[str, Any] | None) -> None:
    address = redis_address(url)
    assert address.tls == tls
    assert address.url == url.partition("?")[0]


def test_a_sentinel_url_is_taken_apart() -> None:
    address = redis_address("sentinel://a:1;sentinel://b:2/3?master_name=main")
    assert address == ("sentinel://a:1;sentinel://b:2/3", {"master_name": "main"}, None)


@pytest.mark.parametrize("url", ["sentinel://a:1/0", "rediss://h:1/0?ssl_cert_reqs=perhaps"])
def test_an_address_that_says_too_little_or_nonsense_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        redis_address(url)
