"""What several commands read from their command lines."""

import typer

from producer.sizes import parse_bytes


def memory_size(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
