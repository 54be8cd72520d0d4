"""Celery's configuration, all in one place, made from our settings.

Numbers and reasons: https://docs.celeryq.dev/en/stable/userguide/configuration.html for what each name means; what was
measured is in docs/redelivery.md.
"""

from typing import Any
from urllib.parse import urlsplit

from kombu import Exchange, Queue

from producer.errors import SettingsError
from producer.settings import Settings, load_section, load_settings
from tasks.address import amqp_address, redis_address
from tasks.redelivery.message import SIZE_FACTOR
from tasks.redelivery.settings import RedeliverySettings
from workers.settings import WorkerSettings

# Results that went through Celery's own API and were never fetched; the client's replies have a limit of their own.
RESULT_EXPIRES_SECONDS = 3600
# More threads than REPLs: the next operations are then decoded and waiting when a REPL becomes free.
THREADS_PER_REPL = 2
# RabbitMQ takes a machine that is silent for two of them for gone; three until its deliveries go to others.
HEARTBEAT_SECONDS = 10
_SOCKET_SECONDS = 15.0
_CONNECT_SECONDS = 5.0


def celery_config() -> dict[str, Any]:
    """The configuration from the process's settings.

    Raises:
        SettingsError: a setting is impossible, or no broker is named.
    """
    return make_config(
        load_settings(),
        load_section("worker", WorkerSettings),
        load_section("redelivery", RedeliverySettings),
    )


def make_config(settings: Settings, worker: WorkerSettings, redelivery: RedeliverySettings) -> dict[str, Any]:
    """Raise SettingsError when `settings` names no broker, or one that is not supported."""
    if not settings.broker_url:
        raise SettingsError(
            "no broker is named: set LEANFLEET_BROKER_URL (redis://host:6379/0), or run `leanfleet up` for a local one"
        )
    threads = worker.repls * THREADS_PER_REPL
    return {
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # machines boot before brokers; a worker that gave up would sit idle
        # A server that refuses (full, loading, a replica just now) passes as one that is away does.
        "broker_channel_error_retry": True,
        **_broker(settings, threads),
        # One queue, bound to nothing: a message is in the list or queue of this very name, for every kind of broker.
        "task_queues": [Queue(settings.queue, Exchange(""), routing_key=settings.queue)],
        "task_default_queue": settings.queue,
        "task_default_exchange": "",
        "task_default_routing_key": settings.queue,
        # Arguments come from other machines: nothing but JSON is ever decoded.
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        # A delivery is acknowledged when its reply is stored, whatever the outcome.
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": True,
        "task_track_started": False,
        "task_send_sent_event": True,
        **_results(settings),
        "result_expires": RESULT_EXPIRES_SECONDS,
        "redis_socket_timeout": _SOCKET_SECONDS,
        "redis_socket_connect_timeout": _CONNECT_SECONDS,
        "redis_socket_keepalive": True,
        # One event loop waits for REPL processes; there is nothing for forked workers to compute.
        "worker_pool": "tasks.pool:OperationPool",
        "worker_concurrency": threads,
        # What is prefetched beyond the threads would wait here while another machine is idle.
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": True,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Flower and `celery inspect` ask workers through it; it costs one idle connection.
        "worker_enable_remote_control": True,
        "enable_utc": True,
        # Ours, for the parts that only Celery starts.
        "leanfleet_max_operation_bytes": settings.max_operation_bytes,
        "leanfleet_redelivery": redelivery,
    }


def _broker(settings: Settings, threads: int) -> dict[str, Any]:
    match urlsplit(settings.broker_url).scheme:
        case "redis" | "rediss" | "sentinel":
            address = redis_address(settings.broker_url)
            options = {
                **address.options,
                "repls": threads // THREADS_PER_REPL,  # for `tasks.appetite`
                "most_bytes": SIZE_FACTOR * settings.max_operation_bytes,
                # Every thread may be acknowledging at once, besides the consumer, the keeper and the events.
                "max_connections": threads + 16,
                "socket_timeout": _SOCKET_SECONDS,
                "socket_connect_timeout": _CONNECT_SECONDS,
                "socket_keepalive": True,
                "health_check_interval": 10,
                # One list: a message with a priority would go into another one, which no worker reads.
                "priority_steps": [0],
            }
            return {"broker_url": address.url, "broker_use_ssl": address.tls, "broker_transport_options": options}
        case "amqp" | "amqps":
            url, tls = amqp_address(settings.broker_url)
            return {
                "broker_url": url,
                "broker_use_ssl": tls,
                "broker_heartbeat": HEARTBEAT_SECONDS,
                "broker_connection_timeout": _CONNECT_SECONDS,
                "broker_transport_options": {
                    "confirm_publish": True,
                    "read_timeout": _SOCKET_SECONDS,
                    "write_timeout": _SOCKET_SECONDS,
                },
            }
        case scheme:
            raise SettingsError(
                f"no such broker: {scheme or 'a URL without a scheme'}; known are redis, rediss, sentinel, amqp, amqps"
            )


def _results(settings: Settings) -> dict[str, Any]:
    address = redis_address(settings.reply_url)
    return {
        "result_backend": address.url,
        "result_backend_transport_options": address.options,
        "redis_backend_use_ssl": address.tls,
    }
