"""A worker's start and end: the REPL pool is warm before the first message is taken, and gone before the process is."""

import functools
import logging
import sys
from typing import Any

from celery import bootsteps
from celery.concurrency.thread import TaskPool

from producer.errors import LeanFleetError
from producer.settings import load_section, load_settings
from tasks.runtime import Runtime, set_current_runtime
from workers.settings import WorkerSettings

logger = logging.getLogger(__name__)

# Documented in docs/workers.md: what a worker's exit code means to whoever restarts it.
EXIT_CANNOT_START = 2


class Operations(bootsteps.StartStopStep):
    """Before the consumer starts, after it stopped: this step stands between it and the threads."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._runtime: Runtime | None = None

    def start(self, worker: Any) -> None:
        try:
            _check_pool(worker)
            self._runtime = _open_runtime()
            self._runtime.start()
        except LeanFleetError as error:
            logger.critical("cannot start: %s", error)
            self._close()
            sys.exit(EXIT_CANNOT_START)
        set_current_runtime(self._runtime)
        logger.info("warm: %r", self._runtime)

    def stop(self, worker: Any) -> None:  # noqa: ARG002 - Celery's signature
        self._close()

    def terminate(self, worker: Any) -> None:  # noqa: ARG002 - as above
        self._close()

    def _close(self) -> None:
        if self._runtime is not None:
            self._runtime.close()
        set_current_runtime(None)


def _check_pool(worker: Any) -> None:
    if not issubclass(worker.pool_cls, TaskPool):
        raise LeanFleetError(
            "leanfleet's workers run operations in threads, which wait for REPL processes: "
            "leave out -P, or say -P threads"
        )


def _open_runtime() -> Runtime:
    # Needed by workers alone; whoever only sends tasks need not load it.
    from tasks.engine import open_engine  # noqa: PLC0415

    settings = load_settings()
    worker = load_section("worker", WorkerSettings)
    return Runtime(functools.partial(open_engine, settings, worker), reply_url=settings.reply_url)
