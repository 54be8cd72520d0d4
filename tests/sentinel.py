"""A Valkey with a replica and sentinels, which make the replica the primary when the primary is gone."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

import redis

from tasks.stack.binaries import find_valkey
from tasks.stack.ports import HOST, free_port
from tasks.stack.process import LocalProcess
from tasks.stack.valkey import Valkey
from tests.waiting import wait_until

MASTER = "fleet"
_SENTINELS = 3
_QUORUM = 2
# How long a primary may be silent before sentinels vote: short, so that the test is.
_DOWN_MS = 1000


class _Sentinel(LocalProcess):
    def __init__(self, directory: Path, primary: Valkey) -> None:
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind {HOST}\ndir {directory}\n"
            f"sentinel monitor {MASTER} {HOST} {primary.port} {_QUORUM}\n"
            f"sentinel down-after-milliseconds {MASTER} {_DOWN_MS}\n"
            f"sentinel failover-timeout {MASTER} 5000\n"
        )
        super().__init__(
            name=f"sentinel on port {self.port}",
            command=[str(find_valkey()), str(config), "--sentinel"],
            log_path=directory / "sentinel.log",
            directory=directory,
        )


class Guarded:
    """Used in a `with`. `url` names all sentinels."""

    def __init__(self, directory: Path) -> None:
        self.first, self.second = Valkey(directory / "first"), Valkey(directory / "second")
        self._directory = directory
        self._sentinels: list[_Sentinel] = []
        self._exits = ExitStack()

    @property
    def url(self) -> str:
        hosts = ";".join(f"sentinel://{HOST}:{sentinel.port}" for sentinel in self._sentinels)
        return f"{hosts}/0?master_name={MASTER}"

    def primary_port(self) -> int:
        with redis.Redis(host=HOST, port=self._sentinels[0].port, decode_responses=True) as client:
            address = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
            return int(address[1])

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.first)
            stack.enter_context(self.second)
            with redis.Redis.from_url(self.second.url) as replica:
                replica.replicaof(HOST, self.first.port)
                wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "the replica follows")
            for number in range(_SENTINELS):
                sentinel = _Sentinel(self._directory / f"sentinel{number}", self.first)
                stack.callback(sentinel.kill)
                sentinel.start()
                self._sentinels.append(sentinel)
            wait_until(self._know_each_other, "the sentinels know each other and the replica")
            self._exits = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exits.close()

    def _know_each_other(self) -> bool:
        try:
            for sentinel in self._sentinels:
                with redis.Redis(host=HOST, port=sentinel.port, decode_responses=True) as client:
                    seen = client.sentinel_master(MASTER)
                    if (int(seen["num-slaves"]), int(seen["num-other-sentinels"])) != (1, _SENTINELS - 1):
                        return False
        except redis.ConnectionError:
            return False
        return True
