"""A worker's metrics over HTTP, for Prometheus or for `curl` in an emergency.

Served from a thread of its own, so that a worker whose event loop hangs still says so. Trouble with it is logged and
never keeps a worker from its work.
"""

import errno
import logging
import socket
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from threading import Thread

logger = logging.getLogger(__name__)

# Workers that one machine may have; Prometheus is told all of these ports, or asks `leanfleet status --targets`.
PORTS = 64


class MetricsServer:
    """Listens from its construction until `close`. `url` is empty where metrics are off or no port could be had."""

    def __init__(self, collector: Collector, *, address: str, port: int) -> None:
        """The first free port of `PORTS` from `port` on is taken; with `port` 0 nothing is served."""
        self.url = ""
        self._server: Any = None
        self._thread: Thread | None = None
        if not port:
            return
        registry = CollectorRegistry()
        registry.register(collector)
        ProcessCollector(registry=registry)
        try:
            taken = self._listen(registry, address, port)
        except (OSError, OverflowError, ValueError) as error:
            logger.error(  # noqa: TRY400 - its traceback says nothing more
                "metrics are not served: %s:%d cannot be had (%s); set metrics_address and metrics_port in [worker]",
                address,
                port,
                error,
            )
            return
        self.url = f"http://{_host(address)}:{taken}/metrics"
        logger.info("metrics at %s", self.url)

    def _listen(self, registry: CollectorRegistry, address: str, first: int) -> int:
        for port in range(first, first + PORTS):
            try:
                self._server, self._thread = start_http_server(port, address, registry)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or port == first + PORTS - 1:
                    raise
            else:
                return port
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Stop listening. Safe to call twice."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None


def first_free(address: str, port: int) -> int:
    """The port that a worker would take now. Raise OSError when it could have none, OverflowError for no port."""
    for each in range(port, port + PORTS):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as http.server does
            try:
                trial.bind((address, each))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or each == port + PORTS - 1:
                    raise
            else:
                return each
    raise AssertionError("unreachable")


def _host(address: str) -> str:
    if address in ("", "0.0.0.0", "::"):  # noqa: S104 - only compared
        return socket.gethostname()  # what other machines of the network know this one by
    return f"[{address}]" if ":" in address else address
