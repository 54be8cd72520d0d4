"""From what a caller hands in to what a batch stores: everything that is wrong is found before anything is written."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from producer.batch.manifest import Entry, Proof
from producer.batch.proof import operation_of
from producer.errors import InvalidInputError
from producer.files import Line, Text, gathered, text_of
from producer.settings import Settings

MAX_PROBLEMS_TOLD = 10


def prepared(given: Sequence[Text | Mapping[str, Any]], settings: Settings) -> tuple[list[Proof], list[Entry]]:
    """Raise InvalidInputError when there is nothing, or a text that cannot be asked."""
    reading = gathered(
        each if isinstance(each, Text) else _text_of(each, f"text {number}", settings)
        for number, each in enumerate(given, 1)
    )
    if reading.problems:
        raise InvalidInputError(told(reading.problems))
    proofs = [Proof(id=text.id, operation=operation_of(text)) for text in reading.texts]
    entries = [Entry(id=text.id, expect=text.expect) for text in reading.texts]
    if not proofs:
        raise InvalidInputError("there is no proof to submit")
    return proofs, entries


def _text_of(given: Mapping[str, Any], where: str, settings: Settings) -> Text | str:
    try:
        line = msgspec.convert(given, Line)
    except msgspec.ValidationError as error:
        return f"{where}: {error}"
    return text_of(line, where, settings)


def told(problems: Sequence[str]) -> str:
    more = len(problems) - MAX_PROBLEMS_TOLD
    return "\n".join([*problems[:MAX_PROBLEMS_TOLD], *([f"and {more:,} more"] if more > 0 else [])])
