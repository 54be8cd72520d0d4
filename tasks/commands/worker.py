"""`leanfleet worker`: Celery's worker with the flags that fit this app."""

import logging
import os
import secrets
from typing import Annotated

import typer

from producer.commands.options import LogFormat
from producer.logs import log_to_stderr
from producer.settings import PREFIX, load_section, load_settings

DEFAULT_CONCURRENCY_HELP = "REPLs that work at the same time; else as the settings say, or one for each core."


def worker(
    *,
    repls: Annotated[int | None, typer.Option(min=1, help=DEFAULT_CONCURRENCY_HELP)] = None,
    name: Annotated[str | None, typer.Option(help="Name in logs and in Flower; made up where it is not given.")] = None,
    events: Annotated[bool, typer.Option(help="Tell Flower of each operation; costs half a millisecond each.")] = False,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    log_format: LogFormat = None,
) -> None:
    """Run operations from the broker, until SIGTERM or Ctrl-C.

    A first SIGTERM: no more work is taken, what finishes within the grace is answered, the rest goes back to the queue.
    A second one: all goes back now.

    Exit codes: 0 stopped in good order; 1 it broke down; 2 it cannot start: the message says why.
    """
    if repls is not None:
        os.environ[f"{PREFIX}WORKER_SIZE"] = str(repls)
    if log_format is not None:
        os.environ[f"{PREFIX}LOG_FORMAT"] = log_format
    is_json = load_settings().log_format == "json"
    if is_json:
        # What is said before Celery sets up its log, warnings among it; Celery then takes over.
        log_to_stderr(logging.WARNING, "json")
        logging.captureWarnings(capture=True)
    quiet = ["--quiet"] if is_json else []  # its banner is no line of JSON
    # Celery takes a moment to load, which --help need not wait for.
    from tasks.celery import app  # noqa: PLC0415
    from tasks.commandline import run_celery  # noqa: PLC0415
    from tasks.reporting import MachineSettings  # noqa: PLC0415

    app.conf.broker_url  # noqa: B018 - settings that are wrong are found here, and said in one line
    arguments = [*quiet, "worker", "--without-gossip", "--without-mingle", f"--loglevel={log_level}"]
    # A name that is used twice confuses Flower, and on RabbitMQ ends the second worker.
    machine = load_section("machine", MachineSettings).name
    arguments.append(f"--hostname={name or 'worker-' + secrets.token_hex(4)}@{machine.replace('%', '%%')}")
    if events:
        arguments.append("--task-events")
    run_celery(arguments)
