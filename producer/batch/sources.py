"""Reading proofs from the kinds of files that people have."""

import codecs
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from producer.batch.columns import Columns, line_of
from producer.batch.parquet import read_parquet
from producer.errors import InvalidInputError, LeanFleetError
from producer.files import LINE_FACTOR, Reading, Text, bounded_lines, gathered, half_character, read_file, text_of
from producer.settings import Settings
from producer.unreadable import UNREADABLE

# A field of a CSV file; Python's own limit is smaller than some proofs.
_MAX_CSV_FIELD = 2**27


def read_proofs(paths: Sequence[Path], settings: Settings, columns: Columns | None = None) -> Reading:
    """Read `.jsonl`, `.lean`, `.csv` and `.parquet` files; nothing that is wrong in them is an exception.

    A `.lean` file is one proof, named by its path. A line of a `.jsonl` file is an object as `leanfleet check` reads it
    or, with `columns` or where it has no `code`, a row of a dataset; other files hold rows. Rows have the columns
    `name`, `header`, `statement` and `proof` unless `columns` says otherwise; further columns do not matter.
    """
    return gathered(found for path in paths for found in _read(path, settings, columns))


def _read(path: Path, settings: Settings, columns: Columns | None) -> Iterator[Text | str]:
    try:
        rows = _rows(path, settings, columns)
        if rows is None:
            yield from read_file(path, settings)
            return
        is_empty = True
        for where, row in rows:
            is_empty = False
            yield _text(row, where, columns or Columns(), settings)
        if is_empty:
            yield f"{path}: is empty"
    except LeanFleetError as error:
        yield f"{path}: {error.message}"
    except UnicodeDecodeError as error:
        yield f"{path}: is not UTF-8: byte 0x{error.object[error.start]:02x}"
    except csv.Error as error:
        yield f"{path}: is not CSV: {error}"
    except OSError as error:
        yield f"{path}: cannot be read: {error.strerror or error}"


def _rows(path: Path, settings: Settings, columns: Columns | None) -> Iterable[tuple[str, Any]] | None:
    """Rows of a dataset, each with where it is; None for what is none, or no file."""
    match path.suffix if path.is_file() else "":
        case ".csv":
            return _csv(path)
        case ".parquet":
            return ((f"{path}: row {number}", row) for number, row in enumerate(read_parquet(path), 1))
        case ".jsonl" if columns is not None or _is_dataset(path, settings):
            return _jsonl(path, settings)
        case "" | ".jsonl" | ".lean":
            return None
        case _:
            raise InvalidInputError("is neither a .jsonl, .lean, .csv nor .parquet file")


def _text(row: Any, where: str, columns: Columns, settings: Settings) -> Text | str:
    if isinstance(row, str):
        return f"{where}: {row}"
    if not isinstance(row, Mapping):
        return f"{where}: is no JSON object"
    line = line_of(row, columns)
    return f"{where}: {line}" if isinstance(line, str) else text_of(line, where, settings)


def _is_dataset(path: Path, settings: Settings) -> bool:
    """Whether the first object of a file is a row and no line of ours."""
    with path.open("rb") as file:
        lines = bounded_lines(file, settings.max_operation_bytes * LINE_FACTOR)
        first = next((line for line in lines if line.strip()), b"")
    try:
        row = msgspec.json.decode(first.removeprefix(codecs.BOM_UTF8))
    except UNREADABLE:
        return False
    return isinstance(row, dict) and "code" not in row and not {"statement", "proof"}.isdisjoint(row)


def _jsonl(path: Path, settings: Settings) -> Iterator[tuple[str, Any]]:
    """Rows; what is none is a sentence instead."""
    longest = settings.max_operation_bytes * LINE_FACTOR
    with path.open("rb") as file:
        for number, data in enumerate(bounded_lines(file, longest), 1):
            where = f"{path}:{number}"
            if not data.strip():
                continue
            if len(data) > longest:
                yield where, f"has far more than the limit of {settings.max_operation_bytes:,} bytes"
                continue
            try:
                yield where, msgspec.json.decode(data.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                yield where, f"is not UTF-8: byte 0x{error.object[error.start]:02x} at position {error.start}"
            except (msgspec.DecodeError, RecursionError) as error:
                yield where, f"is not JSON: {half_character(data) or error}"


def _csv(path: Path) -> Iterator[tuple[str, Any]]:
    csv.field_size_limit(_MAX_CSV_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        for row in reader:
            # A comma in a text without quotes would else cut a proof, and what is left of it might even be one.
            surplus = len(row.get(None, ()))
            lacking = sum(value is None for value in row.values())
            if surplus or lacking:
                columns = len(reader.fieldnames or ())
                wrong = (
                    f"has {columns + surplus - lacking} fields and the first line {columns}: quote texts with commas"
                )
                yield f"{path}:{reader.line_num}", wrong
            else:
                yield f"{path}:{reader.line_num}", row
