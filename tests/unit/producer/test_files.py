import json
import os
from pathlib import Path
from typing import Any

import pytest

from producer.files import Text, read_texts
from producer.judgement import Expectation
from producer.outcome import Outcome
from producer.settings import Settings

SETTINGS = Settings(timeout_seconds=7.0, memory_bytes=10**9, max_operation_bytes=1000)


def read(*paths: Path) -> list[Text]:
    texts, problems = read_texts(paths, SETTINGS)
    assert problems == []
    return texts


def problems_of(*paths: Path) -> list[str]:
    return read_texts(paths, SETTINGS).problems


def jsonl(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_a_lean_file_is_one_text_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.lean"
    path.write_bytes("\ufefftheorem «é» : True := trivial\n".encode())
    (text,) = read(path)
    assert text.id == str(path)
    assert text.operation.code == "theorem «é» : True := trivial\n"
    assert (text.operation.timeout_seconds, text.operation.memory_bytes) == (7.0, 10**9)
    assert text.expect is None


def test_a_line_may_say_everything(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "a.jsonl",
        {"id": "1", "code": "x"},
        "",
        {
            "id": "2",
            "code": "y",
            "header": "import Mathlib",
            "timeout_seconds": 2,
            "memory_bytes": 5,
            "expect": {"verdict": "error", "outcome": "timeout", "reason": "timeout"},
        },
    )
    plain, full = read(path)
    assert (plain.id, plain.operation.code, plain.where) == ("1", "x", f"{path}:1")
    assert (full.id, full.operation.code, full.where) == ("2", "import Mathlib\ny", f"{path}:3")
    assert (full.operation.timeout_seconds, full.operation.memory_bytes) == (2.0, 5)
    assert full.expect == Expectation(verdict="error", outcome=Outcome.TIMEOUT, reason="timeout")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "Expected `object`"),
        ({"code": "x"}, "missing required field `id`"),
        ({"id": "1"}, "missing required field `code`"),
        ({"id": 1, "code": "x"}, "Expected `str`, got `int` - at `$.id`"),
        ({"id": "", "code": "x"}, "the id is empty"),
        ({"id": "1", "code": " \n"}, "the code is empty"),
        ({"id": "1", "code": "x", "cod": 1}, "unknown field `cod`"),
        (
            {"id": "1", "code": "x", "expect": {"verdict": "maybe"}},
            "Invalid enum value 'maybe' - at `$.expect.verdict`",
        ),
        (
            {"id": "1", "code": "x", "expect": {"outcome": "maybe"}},
            "Invalid enum value 'maybe' - at `$.expect.outcome`",
        ),
        ({"id": "1", "code": "x", "expect": {"x": 1}}, "unknown field `x` - at `$.expect`"),
        ({"id": "1", "code": "x", "timeout_seconds": 0}, "timeout_seconds must be a positive number"),
        ({"id": "1", "code": "x", "memory_bytes": -1}, "memory_bytes must be positive"),
        ({"id": "1", "code": "a\x00b"}, "U+0000 in line 1"),
        ('{"id": "1", "code": "\\ud800"}', "JSON"),
        ({"id": "1", "code": "x" * 1001}, "1,001 bytes and the limit is 1,000"),
        ({"id": "1", "code": "x" * 10_000_000}, "far more than the limit of 1,000 bytes"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, line: Any, problem: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"id": "first", "code": "x"}, line, {"id": "last", "code": "x"})
    texts, problems = read_texts([path], SETTINGS)
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}:2: ")
    assert problem in problems[0]
    assert [text.id for text in texts] == ["first", "last"]


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path: Path) -> None:
    lean, lines = tmp_path / "a.lean", tmp_path / "a.jsonl"
    lean.write_bytes(b"-- fine\n-- \xff\n")
    lines.write_bytes(b'{"id": "1", "code": "x"}\n{"id": "2", "code": "\xff"}\n')
    assert problems_of(lean, lines) == [
        f"{lean}:2: is not UTF-8: byte 0xff at position 11",
        f"{lines}:2: is not UTF-8: byte 0xff at position 21",
    ]


def test_files_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    missing, folder, other, empty, blank, large = (
        tmp_path / name
        for name in ("missing.lean", "folder.lean", "other.txt", "empty.lean", "blank.jsonl", "large.lean")
    )
    folder.mkdir()
    other.touch()
    empty.write_text(" \n")
    blank.write_text("\n\n")
    large.write_bytes(b"x" * 1001)
    nul = tmp_path / "nul.lean"
    nul.write_bytes(b"theorem\n\x00")
    found = problems_of(missing, folder, other, empty, blank, large, nul, tmp_path / "gone.txt")
    assert found == [
        f"{missing}: no such file",
        f"{folder}: is a folder; name the files in it, as in {folder}/*.lean",
        f"{other}: is neither a .lean nor a .jsonl file",
        f"{empty}: is empty",
        f"{blank}: is empty",
        f"{large}: has more than the limit of 1,000 bytes (LEANFLEET_MAX_OPERATION_BYTES)",
        f"{nul}: control character U+0000 in line 2: Lean source cannot hold it",
        f"{tmp_path}/gone.txt: no such file",
    ]


def test_whatever_the_system_says_of_a_file_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    path = tmp_path / "file" / "a.lean"
    long = tmp_path / f"{'a' * 300}.jsonl"
    assert problems_of(path, long) == [
        f"{path}: cannot be read: Not a directory",
        f"{long}: cannot be read: File name too long",
    ]


def test_an_id_that_is_used_twice_names_both_places(tmp_path: Path) -> None:
    one = jsonl(tmp_path / "1.jsonl", {"id": "a", "code": "x"}, {"id": "b", "code": "x"})
    two = jsonl(tmp_path / "2.jsonl", {"id": "c", "code": "x"}, {"id": "a", "code": "y"})
    assert problems_of(one, two) == [f"{two}:2: the id 'a' was used before, in {one}:1"]
    assert len(problems_of(one, one)) == 2


def test_a_last_line_needs_no_line_feed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "code": "x"}\r\n{"id": "2", "code": "y"}')
    assert [text.id for text in read(path)] == ["1", "2"]


@pytest.mark.parametrize(
    ("escape", "is_half"),
    [
        ("\\ud800", True),
        ("\\uDFFF", True),
        ("\\ud83dx", True),
        ("\\ude00\\ud83d", True),
        ("\\ud83d\\ude00", False),  # a whole one
    ],
)
def test_half_a_character_is_called_that(escape: str, *, is_half: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"id": "1", "code": "-- {escape}"}}\n')
    if is_half:
        (problem,) = problems_of(path)
        assert problem.startswith(f"{path}:1: is not JSON: \\u")
        assert problem.endswith(" is half a character")
    else:
        assert [text.operation.code for text in read(path)] == ["-- 😀"]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    os.mkfifo(path)
    assert problems_of(path) == [f"{path}: is no regular file; write what it gives into one first"]
