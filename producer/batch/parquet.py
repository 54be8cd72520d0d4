"""Parquet files, through the optional extra `parquet`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from producer.errors import SettingsError

_ROWS_AT_ONCE = 1000


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Its rows. Raise SettingsError without the extra, or for a file that is none."""
    pa, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise SettingsError(f"is no Parquet file: {error}") from error


def write_parquet(path: Path, rows: Sequence[dict[str, Any]], kinds: dict[str, type]) -> None:
    """Write rows with columns of these kinds; a column may hold None. Raise SettingsError without the extra."""
    pa, parquet = _pyarrow()
    of = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, of[kind]) for name, kind in kinds.items()])
    parquet.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def check_parquet() -> None:
    """Raise SettingsError without the extra."""
    _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and large
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError("Parquet files need pyarrow: pip install 'leanfleet[parquet]'") from error
    return pa, parquet
