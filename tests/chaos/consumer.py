"""The least that consumes: `consumer.py URL QUEUE TRANSPORT`, with ours (`lease`) or kombu's own (`kombu`).

It starts in a quarter of a worker's time and does nothing but take, record and acknowledge: what a kill is most likely
to hit is a delivery's few steps.
"""

import socket
import sys

import kombu
import redis

from tasks.redelivery.connection import LeaseConnection


def main() -> None:
    url, name, transport = sys.argv[1:]
    done = redis.Redis.from_url(url)
    connection = (LeaseConnection if transport == "lease" else kombu.Connection)(url)

    def on_message(message: kombu.Message) -> None:
        done.rpush(f"{name}:done", message.headers["id"])
        message.ack()

    queue = kombu.Queue(name, kombu.Exchange(""), routing_key=name)
    with connection, connection.Consumer(queue, on_message=on_message) as consumer:
        consumer.qos(prefetch_count=8)
        while True:
            try:
                connection.drain_events(timeout=1)
            except socket.timeout:  # noqa: UP041 - what kombu raises on every Python
                continue


if __name__ == "__main__":
    main()
