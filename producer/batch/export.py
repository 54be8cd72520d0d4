"""Results as a file: JSON lines, CSV or Parquet, by its ending."""

import csv
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from producer.batch.parquet import check_parquet, write_parquet
from producer.batch.result import BatchResult
from producer.errors import InvalidInputError

# The columns of a table, in order; Lean's messages are in the JSON lines alone.
COLUMNS: dict[str, type] = {
    "id": str,
    "verdict": str,
    "outcome": str,
    "reasons": str,
    "attempt": int,
    "as_expected": bool,
    "lean_seconds": float,
    "queued_seconds": float,
    "worker": str,
    "delivery": int,
    "cached": bool,
}


def check_export(path: Path) -> None:
    """Raise InvalidInputError for an ending that is not known, and SettingsError for one that needs an extra."""
    if path.suffix not in (".jsonl", ".csv", ".parquet"):
        raise InvalidInputError(f"{path}: results can be written as .jsonl, .csv or .parquet")
    if path.suffix == ".parquet":
        check_parquet()


def export(path: Path, results: Sequence[BatchResult]) -> None:
    """Write all results; the file is there as a whole or not at all.

    Raises:
        InvalidInputError: its ending is not known, or it cannot be written.
        SettingsError: its kind needs an extra.
    """
    check_export(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write(temporary, path.suffix, results)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _write(path: Path, suffix: str, results: Sequence[BatchResult]) -> None:
    if suffix == ".parquet":
        write_parquet(path, [result.to_row() for result in results], COLUMNS)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".csv":
            write_csv(file, results)
        else:
            file.writelines(result.to_json().decode() + "\n" for result in results)


def write_csv(file: IO[str], results: Sequence[BatchResult]) -> None:
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(result.to_row() for result in results)
