"""The Celery app: `celery -A tasks worker` runs it, and `tasks.run_code.delay(…)` asks it.

Names are looked up at their first use: importing this package loads neither Celery nor any setting, so that
`tasks.stack` and the command line start quickly.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery

    from tasks.operations import export_state, import_state, run_code, run_tactics, verify_proof

    app: Celery

__all__ = ["app", "export_state", "import_state", "run_code", "run_tactics", "verify_proof"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The operations are defined on the app, so whoever asks for the app gets them registered.
    from tasks import celery, operations  # noqa: PLC0415 - the point of this function

    return getattr(celery if name == "app" else operations, name)
