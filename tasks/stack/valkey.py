"""A Valkey server of our own: broker and reply lists."""

from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks.stack.binaries import find_valkey
from tasks.stack.ports import HOST, claim
from tasks.stack.process import LocalProcess


class Valkey(LocalProcess):
    """Valkey with an append-only file and without eviction, as a broker must be: see `leanfleet doctor`.

    Started again after a stop or kill it has the same port, folder and data.
    """

    def __init__(self, directory: Path, *, port: int | None = None, persistent: bool = True) -> None:
        """`directory` belongs to this server alone.

        Raises:
            PortInUseError: something listens on `port`.
            MissingServerError: there is no Valkey on this computer.
        """
        self.port = claim(port, option="--broker-port")
        directory.mkdir(parents=True, exist_ok=True)
        options = {
            "port": str(self.port),
            "bind": HOST,
            "dir": str(directory),
            "appendonly": "yes" if persistent else "no",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        super().__init__(
            name=f"Valkey on port {self.port}",
            command=[str(find_valkey()), *arguments],
            log_path=directory / "valkey.log",
            directory=directory,
        )

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def is_ready(self) -> bool:
        try:
            with redis.Redis(host=HOST, port=self.port, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
