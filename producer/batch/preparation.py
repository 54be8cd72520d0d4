"""From what a caller hands in to what a batch stores: everything that is wrong is found before anything is written."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from producer.batch.manifest import Entry, Proof
from producer.batch.proof import asked, entry_of
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
    problems = reading.problems
    proofs, entries = [], []
    for text in reading.texts:
        entry = entry_of(text)
        try:
            # With the question after it, the text is a little longer than it was when it was read.
            asked(text.operation, entry).checked(max_bytes=settings.max_operation_bytes)
        except InvalidInputError as error:
            problems.append(f"{text.where or text.id}: {error.message}")
        proofs.append(Proof(id=text.id, operation=text.operation))
        entries.append(entry)
    if problems:
        raise InvalidInputError(told(problems))
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
