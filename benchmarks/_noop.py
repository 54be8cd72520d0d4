"""A Celery app whose task does nothing, on kombu's transport or on ours: `NOOP_TRANSPORT`, `NOOP_BROKER_URL`."""

import os
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from tasks.redelivery.settings import RedeliverySettings

QUEUE = "noop"
LEASED = os.environ.get("NOOP_TRANSPORT") == "lease"

app = Celery("noop", amqp="tasks.redelivery.connection:LeaseAMQP" if LEASED else None)
app.conf.update(
    broker_url=os.environ.get("NOOP_BROKER_URL", ""),
    broker_connection_retry_on_startup=True,
    # For kombu what makes it redeliver as early as our leases do, as far as it can.
    broker_transport_options={
        "max_connections": 32,
        **({} if LEASED else {"visibility_timeout": 15, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}),
    },
    task_queues=[Queue(QUEUE, Exchange(""), routing_key=QUEUE)],
    task_default_queue=QUEUE,
    task_default_exchange="",
    task_default_routing_key=QUEUE,
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    leanfleet_redelivery=RedeliverySettings(),
)
if LEASED:
    app.steps["consumer"].add("tasks.redelivery.heartbeat:Heartbeat")


def noop(*_: Any, **__: Any) -> None:
    """Nothing."""


_register: Any = app.task
_register(noop, name="noop", **({"Request": "tasks.request:OperationRequest"} if LEASED else {}))
