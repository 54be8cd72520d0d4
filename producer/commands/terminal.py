"""Output for people goes to stderr, so that stdout holds results and nothing else."""

import logging
import re
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from producer.logs import dress
from producer.settings import load_settings

# Lean's messages quote what a model wrote; a terminal must not obey it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """`text` without anything that moves a cursor or changes a terminal; tabs and line feeds stay."""
    return _CONTROL.sub("�", text)


def stderr_console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


class _ConsoleHandler(logging.Handler):
    """Through the console, so that a progress bar stays where it is."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(f"{record.levelname.lower()}: {printable(record.getMessage())}", markup=False)


def log_to(console: Console) -> None:
    """Show what the library has to say: warnings and worse; as lines of JSON where the settings want these."""
    handler: logging.Handler = _ConsoleHandler(console)
    if load_settings().log_format == "json":
        handler = logging.StreamHandler(sys.stderr)
        handler.setLevel(logging.WARNING)
        dress(handler, "json")
    logging.getLogger("leanfleet").addHandler(handler)


def progress_bar(console: Console) -> Progress:
    """A bar for a known number of steps; nothing at all where the console is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Results that are printed meanwhile go above the bar, but only where stdout is that same terminal.
        redirect_stdout=sys.stdout.isatty(),
    )
