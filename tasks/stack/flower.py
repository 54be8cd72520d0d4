"""Flower on this computer."""

import http.client
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

from tasks.stack.errors import MissingServerError
from tasks.stack.ports import HOST, claim
from tasks.stack.process import LocalProcess


class Flower(LocalProcess):
    """Shows operations by kind with their outcomes. For eyes on this computer only: nobody is asked for a password."""

    def __init__(self, *, directory: Path, environ: Mapping[str, str], port: int | None = None) -> None:
        """Raise MissingServerError where Flower is not installed, PortInUseError when something listens on `port`."""
        if importlib.util.find_spec("flower") is None:
            raise MissingServerError("Flower is not installed: pip install 'leanfleet[flower]'")
        self.port = claim(port, option="--flower-port")
        super().__init__(
            name=f"Flower on port {self.port}",
            command=[sys.executable, "-P", "-m", "leanfleet", "flower", f"--address={HOST}", f"--port={self.port}"],
            log_path=directory / "flower.log",
            environ=environ,
            directory=directory,
        )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/healthcheck")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()
