"""What a worker logs: its own life at INFO, and nothing for each operation, which would cost more than a short one."""

import logging
from typing import Any

# At INFO these two write a line or two for every task; below ERROR the tracer also logs each delivery that is handed
# back, with a traceback. Flower and the counters show operations; failures of ours are logged where they happen.
_LEVELS = {"celery.worker.strategy": logging.WARNING, "celery.app.trace": logging.ERROR}


def quiet_each_task(**_: Any) -> None:
    """A receiver of Celery's `after_setup_logger`."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
