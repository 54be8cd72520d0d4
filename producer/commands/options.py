"""What several commands read from their command lines."""

from typing import Annotated, Literal

import typer

from producer.sizes import parse_bytes

LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(help="Of the log: text, or json for one object a line; else as the settings say."),
]


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def age_seconds(text: str) -> float:
    """From 90s, 5m, 12h, 30d or 2w; without a unit it would be too easy to mean another one."""
    try:
        seconds = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        raise typer.BadParameter(f"{text!r} is no age: write 30d, 12h, 90m or 45s") from None
    if not 0 <= seconds < float("inf"):
        raise typer.BadParameter(f"{text!r} is no age: it must be positive")
    return seconds


def memory_size(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
