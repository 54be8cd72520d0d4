"""Where the `leanfleet` command begins: Ctrl-C ends it without a traceback from the first moment on.

Importing what the commands need takes a moment, and a KeyboardInterrupt in the midst of an import may come out as any
error. There is nothing to tidy up yet, so the process just ends.
"""

import importlib
import os
import signal
from types import FrameType

INTERRUPTED = 130  # as shells count Ctrl-C


def main() -> None:
    """Run the command line; the process exits with the command's code."""
    end_at_interrupts()
    # By its name: this package knows nothing of the others, which are joined there.
    importlib.import_module("leanfleet").main()


def end_at_interrupts() -> None:
    """End the process at Ctrl-C, until `raise_interrupts`; not where whoever began it has Ctrl-C ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_interrupts() -> None:
    """Raise KeyboardInterrupt at Ctrl-C, as Python does."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
    os._exit(INTERRUPTED)
