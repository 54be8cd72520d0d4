"""Celery's connections to its broker, with our transports instead of kombu's.

The URL keeps its plain scheme, which clients, Flower and people understand, and other Celery apps in the same process
keep kombu's transport.
"""

from typing import Any

import kombu
from celery.app.amqp import AMQP
from kombu.transport import pyamqp
from kombu.transport import redis as kombu_redis

from tasks.redelivery.quorum import QuorumTransport, SecureQuorumTransport
from tasks.redelivery.transport import SentinelTransport, Transport

_OURS: dict[type, type] = {
    kombu_redis.Transport: Transport,
    kombu_redis.SentinelTransport: SentinelTransport,
    pyamqp.Transport: QuorumTransport,
    pyamqp.SSLTransport: SecureQuorumTransport,
}


class LeaseConnection(kombu.Connection):
    """Asked for its transport by every way in which a connection is made, failover and clones included."""

    def get_transport_cls(self) -> Any:
        transport = super().get_transport_cls()
        return _OURS.get(transport, transport)


class LeaseAMQP(AMQP):
    """For `Celery(amqp=…)`."""

    Connection = LeaseConnection
