"""`leanfleet autoscale`: the controller, in the foreground."""

import logging
from typing import Annotated

import typer

from producer.commands.options import LogFormat
from producer.errors import SettingsError
from producer.logs import log_to_stderr
from producer.settings import load_settings


def autoscale(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Watch and say what would be done; change nothing.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Decide once and exit.")] = False,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    log_format: LogFormat = None,
) -> None:
    """Size the fleet by what is in the queue.

    It runs until SIGTERM or Ctrl-C. Settings are in the tables [autoscale] and [policy] of leanfleet.toml;
    docs/scaling.md has them. Several may run: one leads, the others stand by. Machines outlive the controller, except
    those of the local provider.

    Exit codes: 0 stopped in good order; 2 it cannot start: the message says why.
    """
    level = logging.getLevelNamesMapping().get(log_level.upper())
    if level is None:
        raise SettingsError(f"--log-level must be DEBUG, INFO, WARNING or ERROR, not {log_level}")
    settings = load_settings()
    log_to_stderr(level, log_format or settings.log_format)
    logging.getLogger("botocore").setLevel(max(level, logging.INFO))
    if not settings.broker_url:
        raise SettingsError("no broker is configured: set LEANFLEET_BROKER_URL")
    # boto3 and kombu take a moment to load, which other commands and --help need not wait for.
    from workers.scaling.service import run_controller  # noqa: PLC0415

    run_controller(settings, dry_run=dry_run, once=once)
