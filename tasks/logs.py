"""What a worker logs: its own life at INFO, and nothing for each operation, which would cost more than a short one."""

import logging
from typing import Any

from producer.logs import dress
from producer.settings import load_settings

_TEXT_FORMAT = "[%(asctime)s: %(levelname)s/%(name)s] %(message)s%(ids)s"

# At INFO these two write a line or two for every task; below ERROR the tracer also logs each delivery that is handed
# back, with a traceback. Flower and the counters show operations; failures of ours are logged where they happen.
_LEVELS = {"celery.worker.strategy": logging.WARNING, "celery.app.trace": logging.ERROR}


def quiet_each_task(**_: Any) -> None:
    """A receiver of Celery's `after_setup_logger`."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)


def dress_handlers(*, logger: logging.Logger, **_: Any) -> None:
    """A receiver of the same signal: lines of JSON, or text that ends with the ids of what is carried out."""
    log_format = load_settings().log_format
    for handler in logger.handlers:
        dress(handler, log_format, _TEXT_FORMAT)
