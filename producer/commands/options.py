"""What several commands read from their command lines."""

from typing import Annotated, Literal

import typer

from producer.sizes import parse_bytes

LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(help="Of the log: text, or json for one object a line; else as the settings say."),
]


def memory_size(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
