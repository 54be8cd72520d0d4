"""A RabbitMQ node of our own: no package index has one, so it must be installed on the machine."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import amqp

from tasks.stack.ports import HOST, free_ports
from tasks.stack.process import LocalProcess

# Debian's program in /usr/sbin changes to a user of its own, who cannot write where a test runs; this one does not.
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_REPLY_SECONDS = 2.0


def find_rabbitmq() -> str | None:
    """The server's program, or None when it is not installed."""
    return str(_PROGRAM) if _PROGRAM.is_file() else shutil.which("rabbitmq-server")


def _find_epmd() -> str:
    """It is not always on the PATH; Erlang has its own."""
    beside_erlang = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    return shutil.which("epmd") or (str(beside_erlang[-1]) if beside_erlang else "epmd")


class _PortMapper(LocalProcess):
    """Erlang's name server. A node would start one that stays behind, for the whole machine and on all interfaces."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(
            name=f"epmd on port {port}",
            command=[_find_epmd(), "-port", str(port), "-address", HOST],
            log_path=directory / "epmd.log",
        )


class RabbitMQ(LocalProcess):
    """One node with ports, name, folder and cookie of its own. Started again it has the same port and data."""

    ready_seconds = 60.0

    def __init__(self, directory: Path) -> None:
        """`directory` belongs to this node alone."""
        self.port, distribution_port, mapper_port = free_ports(3)
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.1 = {HOST}:{self.port}\n"
            # What a kill leaves of memory and disk on a shared machine must not stop publishers.
            "disk_free_limit.absolute = 50MB\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        )
        plugins = directory / "enabled_plugins"
        plugins.write_text("[].")
        self._mapper = _PortMapper(directory, mapper_port)
        self.environ = {
            **os.environ,
            "HOME": str(directory),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"leanfleet-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_CONFIG_FILE": str(config.with_suffix("")),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory),
            "RABBITMQ_ALLOW_INPUT": "1",  # the script then becomes the node, which ends with us
            "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-noinput -start_epmd false -kernel inet_dist_use_interface {{{HOST.replace('.', ',')}}} +S 2:2"
            ),
        }
        super().__init__(
            name=f"RabbitMQ on port {self.port}",
            command=[find_rabbitmq() or "rabbitmq-server"],
            log_path=directory / "rabbitmq.log",
            directory=directory,
            environ=self.environ,
        )

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def is_ready(self) -> bool:
        try:
            with amqp.Connection(f"{HOST}:{self.port}", connect_timeout=_REPLY_SECONDS, read_timeout=_REPLY_SECONDS):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def depth(self, queue: str) -> int:
        """How many messages wait in a queue that is there."""
        with amqp.Connection(f"{HOST}:{self.port}", connect_timeout=_REPLY_SECONDS) as connection:
            declared: Any = connection.channel().queue_declare(queue, passive=True)
            return int(declared.message_count)

    def messages(self, queue: str) -> int:
        """How many messages are in a queue, also those that workers hold; as the server knew some seconds ago."""
        answer = self._control("list_queues", "name", "messages", "--formatter=json")
        return sum(each["messages"] for each in json.loads(answer) if each["name"] == queue)

    def close_connections(self) -> None:
        """End everybody's, as a restart does; the server stays."""
        self._control("close_all_connections", "a test")

    def fill(self) -> None:
        """It takes nothing more from publishers, as where its memory has run out; `make_room` ends that."""
        self._control("set_vm_memory_high_watermark", "absolute", "1")

    def make_room(self) -> None:
        self._control("set_vm_memory_high_watermark", "absolute", "1GB")

    def _control(self, *arguments: str) -> bytes:
        command = [str(Path(self.command[0]).with_name("rabbitmqctl")), "--quiet", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, check=True).stdout

    def start(self) -> None:
        if not self._mapper.running:
            self._mapper.start()
        super().start()

    def kill(self) -> int | None:
        try:
            return super().kill()
        finally:
            self._mapper.kill()

    def __exit__(self, *exc_info: object) -> None:
        # Nobody needs its data afterwards, and a stop in good order takes seconds.
        self.kill()
