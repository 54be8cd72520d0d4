"""What pytest-celery takes for containers: local processes, where no Docker is needed.

https://pytest-celery.readthedocs.io says what nodes ask of their containers; this is that, over `LocalProcess`.
"""

from pathlib import Path

from pytest_celery import CeleryTestContainer

from tasks.stack.machine import Machine
from tasks.stack.process import LocalProcess
from tasks.stack.valkey import Valkey


class ProcessContainer(CeleryTestContainer):  # type: ignore[misc] # pytest-celery has no types
    """A process group that is killed and restarted as a container would be."""

    def __init__(self, process: LocalProcess) -> None:
        # Not the base's: it wants a container of Docker's.
        self.process = process

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def id(self) -> str:
        return f"{self.process.pid:012}"

    @property
    def status(self) -> str:
        return "running" if self.process.running else "exited"

    def logs(self) -> str:
        return self.process.log()

    def reload(self) -> None:
        """A process needs not be looked up again."""

    def kill(self, signal: str | int = "SIGKILL") -> None:
        import signal as signals  # noqa: PLC0415 - hidden by the argument, whose name is pytest-celery's

        self.process.signal(signals.Signals[signal] if isinstance(signal, str) else signal)

    def restart(self, timeout: int = 10) -> None:
        self.process.stop(grace_seconds=timeout)
        self.process.start()
        self.process.wait_ready()

    def ready(self) -> bool:
        return self.process.running

    def teardown(self) -> None:
        self.process.stop()


class ValkeyContainer(ProcessContainer):
    """The session's server: broker and result backend."""

    process: Valkey

    @property
    def celeryconfig(self) -> dict[str, object]:
        return {"url": self.process.url, "host_url": self.process.url, "port": self.process.port}

    def teardown(self) -> None:
        """The session's fixture stops it."""


class PlainWorker(LocalProcess):
    """`celery -A tasks worker` and nothing else, as somebody who knows Celery starts it."""

    ready_seconds = Machine.ready_seconds

    def __init__(self, *, name: str, command: list[str], log_path: Path, environ: dict[str, str], root: Path) -> None:
        super().__init__(name=name, command=command, log_path=log_path, environ=environ, directory=root)

    def is_ready(self) -> bool:
        return " ready." in self.log()
