"""What a RabbitMQ must be for nothing to get lost, checked when a worker starts and by `leanfleet doctor`.

Reading the facts and judging them are two things: the latter is pure.
"""

from typing import Any, Literal

import amqp
import msgspec
from amqp.exceptions import AccessRefused, NotAllowed, NotFound, PreconditionFailed

from producer.errors import BrokerUnavailableError
from producer.quorum import QUEUE_ARGUMENTS, AmqpAddress, amqp_addresses
from producer.rabbitmq import LOST, connection_to
from producer.requirements import Finding, Level, parse_version
from producer.settings import without_password

_TIMEOUT_SECONDS = 5.0
# Quorum queues, and their limit on deliveries: https://www.rabbitmq.com/docs/quorum-queues
_OLDEST_SERVER = (3, 8)
# From here on a queue may have a consumer timeout of its own: https://www.rabbitmq.com/docs/consumers
_QUEUE_TIMEOUTS = (3, 12)

Kind = Literal["missing", "right", "wrong"]


class RabbitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`queue` is missing until whoever comes first declares it; `difference` says how another one is wrong."""

    product: str
    version: tuple[int, ...]
    queue: Kind = "missing"
    difference: str = ""
    refusal: str = ""  # why it did not let us in


def judge_rabbit(facts: RabbitFacts, *, queue: str) -> list[Finding]:
    """What is right and wrong with a RabbitMQ as a broker."""
    if facts.refusal:
        advice = (
            f"{facts.refusal}: check user, password and virtual host in LEANFLEET_BROKER_URL, and the user's rights"
        )
        return [Finding(level=Level.ERROR, subject="broker", found="refused us", advice=advice)]
    version = ".".join(map(str, facts.version))
    found = f"{facts.product} {version}"
    if facts.version < _OLDEST_SERVER:
        advice = "it knows no quorum queues: use RabbitMQ 3.12 or newer"
        return [Finding(level=Level.ERROR, subject="broker", found=found, advice=advice)]
    findings = [Finding(level=Level.FINE, subject="broker", found=found)]
    if facts.queue == "wrong":
        findings.append(
            Finding(
                level=Level.ERROR,
                subject="queue",
                found=f"{queue} is there and of another kind",
                advice=f"delete it when it is empty, or name another one in LEANFLEET_QUEUE ({facts.difference})",
            )
        )
    elif facts.queue == "right":
        findings.append(Finding(level=Level.FINE, subject="queue", found=f"{queue} is a quorum queue"))
    if facts.version < _QUEUE_TIMEOUTS:
        findings.append(
            Finding(
                level=Level.WARNING,
                subject="consumer timeout",
                found="the server's own",
                advice=f"RabbitMQ {version} takes it from rabbitmq.conf alone: set consumer_timeout above the longest "
                "operation, or use 3.12 or newer",
            )
        )
    return findings


def check_rabbit(url: str, *, queue: str) -> list[Finding]:
    """Reach a RabbitMQ, of several nodes the first that answers, and judge it.

    Raises:
        BrokerUnavailableError: none answers.
        SettingsError: the URL is wrong.
    """
    failure: Exception | None = None
    for address in amqp_addresses(url):
        try:
            facts = _read_facts(address, queue)
        except (AccessRefused, NotAllowed) as error:
            facts = RabbitFacts(product="RabbitMQ", version=(), refusal=_text(error))
        except LOST as error:
            failure = error
            continue
        first, *others = judge_rabbit(facts, queue=queue)
        return [msgspec.structs.replace(first, found=f"{first.found} at {without_password(url)}"), *others]
    raise BrokerUnavailableError(f"the broker at {without_password(url)} cannot be reached: {failure}")


def _read_facts(address: AmqpAddress, queue: str) -> RabbitFacts:
    connection: Any = connection_to(address, connect_seconds=_TIMEOUT_SECONDS, reply_seconds=_TIMEOUT_SECONDS)
    with connection:
        properties: dict[str, Any] = connection.server_properties
        kind, difference = _look_at(connection, queue)
        return RabbitFacts(
            product=str(properties.get("product", "RabbitMQ")),
            version=parse_version(str(properties.get("version", "0"))),
            queue=kind,
            difference=difference,
        )


def _look_at(connection: Any, queue: str) -> tuple[Kind, str]:
    """A look declares nothing that is not there; each refusal ends its channel."""
    try:
        connection.channel().queue_declare(queue, passive=True)
    except NotFound:
        return "missing", ""
    try:
        # What is there already is only compared.
        connection.channel().queue_declare(queue, durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
    except PreconditionFailed as error:
        return "wrong", _text(error)
    return "right", ""


def _text(error: amqp.AMQPError) -> str:
    return str(getattr(error, "reply_text", "") or error)
