"""Files that people have, and files that they want."""

import codecs
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from producer.batch.columns import Columns
from producer.batch.export import COLUMNS, export
from producer.batch.manifest import Entry
from producer.batch.parquet import write_parquet
from producer.batch.record import Record
from producer.batch.result import BatchResult, result_of
from producer.batch.sources import read_proofs
from producer.errors import InvalidInputError
from producer.judgement import Expectation, Verdict
from producer.outcome import Outcome
from producer.result import Message
from producer.settings import Settings

ROWS = [
    {"name": "a", "header": "import Init", "statement": "theorem a : True := by sorry", "proof": "trivial"},
    {"name": "b", "header": "", "statement": "theorem b : True", "proof": "by\n  trivial"},
]
TEXTS = [
    ("a", "import Init\ntheorem a : True := by\n  trivial"),
    ("b", "theorem b : True := by\n  trivial"),
]
STATEMENTS = ["import Init\ntheorem a : True := by sorry", "theorem b : True := by sorry"]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case ".csv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        case ".parquet":
            write_parquet(path, rows, dict.fromkeys(rows[0], str))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_rows_of_a_dataset_are_read_from_every_kind_of_file(suffix: str, tmp_path: Path) -> None:
    reading = read_proofs([write(tmp_path / f"rows{suffix}", ROWS)], Settings(timeout_seconds=9))
    assert reading.problems == []
    assert [(text.id, text.operation.code) for text in reading.texts] == TEXTS
    assert [text.statement for text in reading.texts] == STATEMENTS
    assert {text.operation.timeout_seconds for text in reading.texts} == {9}


def test_a_row_that_is_far_too_long_is_named_and_not_kept(tmp_path: Path) -> None:
    long = {**ROWS[0], "name": "long", "proof": "x" * 100_000}
    reading = read_proofs(
        [write(tmp_path / "rows.jsonl", [ROWS[0], long, ROWS[1]])], Settings(max_operation_bytes=1000)
    )
    assert [text.id for text in reading.texts] == ["a", "b"]
    assert len(reading.problems) == 1
    assert reading.problems[0].endswith("rows.jsonl:2: has far more than the limit of 1,000 bytes")


def test_a_dataset_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ROWS)
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    reading = read_proofs([path], Settings())
    assert (reading.problems, [text.id for text in reading.texts]) == ([], ["a", "b"])


@pytest.mark.parametrize("lines", [["["], ['{"name": "a", "statement": "theorem a : True", "proof": "trivial"}', "["]])
def test_a_line_that_is_nested_too_deep_is_named(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text("\n".join(line.replace("[", "[" * 100_000) for line in lines))
    (problem,) = read_proofs([path], Settings()).problems
    assert problem.startswith(f"{path}:{len(lines)}: ")


def test_our_own_lines_and_lean_files_are_read_as_check_reads_them(tmp_path: Path) -> None:
    lines = write(
        tmp_path / "a.jsonl", [{"id": "x", "code": "c", "timeout_seconds": 3, "expect": {"verdict": "proved"}}]
    )
    lean = tmp_path / "b.lean"
    lean.write_text("theorem b : True := trivial")
    reading = read_proofs([lines, lean], Settings())
    assert [text.id for text in reading.texts] == ["x", str(lean)]
    assert reading.texts[0].operation.timeout_seconds == 3
    assert reading.texts[0].expect is not None


def test_columns_are_named_by_the_caller(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"problem": 1, "code": "x", "lean": "theorem a : True := trivial"}])
    reading = read_proofs([path], Settings(), Columns(id="problem", code="lean"))
    assert [(text.id, text.operation.code) for text in reading.texts] == [("1", "theorem a : True := trivial")]


def test_one_bad_line_in_ten_thousand_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({**ROWS[0], "name": str(number)}) for number in range(10_000)]
    lines[6665] = '{"name": "bad", "statement": 5}'
    path.write_text("\n".join(lines))
    reading = read_proofs([path], Settings())
    assert reading.problems == [f"{path}:6666: column 'statement' holds int and not text"]
    assert len(reading.texts) == 9_999


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jsonl", b'{"statement": "x"}\n[]\n\xff\n{oops', "there is no 'name'"),
        ("a.csv", b"name,proof\na,\xff\n", "is not UTF-8"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b'name,proof\na,"open\n', "is not CSV"),
        ("a.csv", b"name,proof\na,theorem a : True := trivial,b\n", ":2: has 3 fields and the first line 2"),
        ("a.csv", b"name,statement,proof\na,theorem a : True\n", ":2: has 2 fields and the first line 3"),
        ("a.parquet", b"PAR0", "is no Parquet file"),
        ("a.txt", b"x", "is neither a .jsonl, .lean, .csv nor .parquet file"),
        ("missing.csv", None, "no such file"),
    ],
)
def test_what_is_wrong_with_a_file_is_a_sentence(name: str, data: bytes | None, words: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    reading = read_proofs([tmp_path / name], Settings())
    assert reading.texts == []
    assert words in "\n".join(reading.problems)
    assert all(problem.startswith(str(tmp_path / name)) for problem in reading.problems)


def results() -> list[BatchResult]:
    record = Record(
        place=0,
        attempt=2,
        verdict=Verdict.NOT_PROVED,
        outcome=Outcome.LEAN_ERROR,
        reasons=("lean_error: 1:0: x", "lean_error: 2:0: y"),
        messages=(Message(severity="error", data="x"),),
        lean_seconds=0.25,
    )
    expect = Expectation(verdict="not_proved")
    return [result_of(Entry(id="α", expect=expect), record), result_of(Entry(id="b"), record)]


def test_results_are_written_as_the_ending_says(tmp_path: Path) -> None:
    for suffix in (".jsonl", ".csv", ".parquet"):
        export(tmp_path / f"out{suffix}", results())
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["id"], line["as_expected"]) for line in lines] == [("α", True), ("b", None)]
    assert lines[0]["messages"] == [{"severity": "error", "data": "x"}]
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["reasons"] == "lean_error: 1:0: x\nlean_error: 2:0: y"
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["id"], row["as_expected"], row["attempt"]) for row in table] == [("α", True, 2), ("b", None, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.jsonl", "out.parquet"]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"\.jsonl, \.csv or \.parquet"):
        export(tmp_path / "out.xlsx", results())
    with pytest.raises(InvalidInputError, match="cannot be written"):
        export(tmp_path / "missing" / "out.csv", results())
