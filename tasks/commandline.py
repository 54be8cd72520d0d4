"""Celery's command line, run for this app in this process."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from celery.bin.celery import celery as command

from tasks.celery import app


def run_celery(arguments: Sequence[str]) -> NoReturn:
    """As `celery -A tasks` with these arguments; the process exits with the command's code, which `app.start` drops."""
    command.params[0].default = app  # what `-A` would set, without looking for a `tasks` in the working directory
    command.main(args=list(arguments), prog_name="leanfleet", standalone_mode=True)
    sys.exit(0)
