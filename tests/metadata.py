"""A metadata service as the clouds have it, on this computer: what AWS and GCP say of a machine's end."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SPOT_ACTION = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
PREEMPTED = "/computeMetadata/v1/instance/preempted"


class Metadata(http.server.ThreadingHTTPServer):
    """Answers `pages` to whoever shows the current token (AWS) or the flavor (GCP)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, str] = {}
        self.token = "first"  # noqa: S105 - of a service that is none
        self.tokens_given = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        assert self.path == "/latest/api/token"
        assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.server.tokens_given += 1
        self.reply(200, self.server.token)

    def do_GET(self) -> None:
        if self.path.startswith("/latest") and self.headers["X-aws-ec2-metadata-token"] != self.server.token:
            self.reply(401, "")
        elif self.path.startswith("/computeMetadata") and self.headers["Metadata-Flavor"] != "Google":
            self.reply(403, "")
        elif self.path in self.server.pages:
            self.reply(200, self.server.pages[self.path])
        else:
            self.reply(404, "")

    def reply(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: tests read what happened."""


@contextmanager
def metadata_service() -> Iterator[Metadata]:
    """It serves in a thread of its own inside the block."""
    with Metadata() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
