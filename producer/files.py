"""Reading the texts to check from files. Everything that is wrong with any of them is found before anything is run."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from producer.errors import InvalidInputError
from producer.judgement import Expectation
from producer.operation import RunCode, VerifyProof
from producer.settings import Settings

# A line's JSON may be longer than the code in it, by escapes and names; what is longer than this is not even parsed.
LINE_FACTOR = 8

_SETTING = "(LEANFLEET_MAX_OPERATION_BYTES)"
# An escape of a high surrogate without the low one behind it, or of a low one without the high one before it.
_LONE_SURROGATE = re.compile(
    rb"(?i)\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}"
)


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One text to check, and where it was read."""

    id: str
    operation: RunCode
    statement: str = ""  # what it is to prove; empty: every theorem that it declares
    expect: Expectation | None = None
    where: str = ""


class Reading(NamedTuple):
    """What files hold; with any problem, nothing of it should be run."""

    texts: list[Text]
    problems: list[str]


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a `.jsonl` file."""

    id: str
    code: str
    header: str = ""
    statement: str = ""
    expect: Expectation | None = None
    timeout_seconds: float | None = None
    memory_bytes: int | None = None


_decoder = msgspec.json.Decoder(Line)


def read_texts(paths: Sequence[Path], settings: Settings) -> Reading:
    """Read `.lean` files (one text each, named by its path) and `.jsonl` files (one text a line).

    A line has `id` and `code`, and may have `statement` (what the code is to prove; see `VerifyProof`), `header` (put
    before the code and the statement, on lines of its own), `expect` (see `Expectation`), `timeout_seconds` and
    `memory_bytes`; the settings' limits hold for the others.
    """
    return gathered(found for path in paths for found in read_file(path, settings))


def gathered(found: Iterable[Text | str]) -> Reading:
    """Tell texts from problems; an id that was used before is one of these."""
    texts: list[Text] = []
    problems: list[str] = []
    seen: dict[str, str] = {}
    for each in found:
        if isinstance(each, str):
            problems.append(each)
        elif each.id in seen:
            problems.append(f"{each.where}: the id {each.id!r} was used before, in {seen[each.id]}")
        else:
            seen[each.id] = each.where
            texts.append(each)
    return Reading(texts, problems)


def read_file(path: Path, settings: Settings) -> Iterator[Text | str]:
    """The texts of one file, and a sentence for each that is none."""
    try:
        if path.is_dir():
            yield f"{path}: is a folder; name the files in it, as in {path}/*.lean"
        elif path.exists() and not path.is_file():
            yield f"{path}: is no regular file; write what it gives into one first"
        elif path.suffix == ".lean":
            yield _read_lean(path, settings)
        elif path.suffix == ".jsonl":
            yield from _read_jsonl(path, settings)
        elif path.exists():
            yield f"{path}: is neither a .lean nor a .jsonl file"
        else:
            yield f"{path}: no such file"
    except FileNotFoundError:
        yield f"{path}: no such file"
    except OSError as error:
        yield f"{path}: cannot be read: {error.strerror or error}"


def _read_lean(path: Path, settings: Settings) -> Text | str:
    # One byte more than allowed tells a file that is too large, without reading all of it.
    with path.open("rb") as file:
        data = file.read(settings.max_operation_bytes + 1)
    if len(data) > settings.max_operation_bytes:
        return f"{path}: has more than the limit of {settings.max_operation_bytes:,} bytes {_SETTING}"
    try:
        code = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"{path}:{_line_of(data, error)}: {_not_utf8(error)}"
    if not code.strip():
        return f"{path}: is empty"
    return text_of(Line(id=str(path), code=code), str(path), settings)


def _read_jsonl(path: Path, settings: Settings) -> Iterator[Text | str]:
    longest = settings.max_operation_bytes * LINE_FACTOR
    is_empty = True
    with path.open("rb") as file:
        for number, data in enumerate(bounded_lines(file, longest), 1):
            where = f"{path}:{number}"
            if len(data) > longest:
                is_empty = False
                yield f"{where}: has far more than the limit of {settings.max_operation_bytes:,} bytes {_SETTING}"
                continue
            if not data.strip():
                continue
            is_empty = False
            try:
                # Decoded first, since msgspec looks at the UTF-8 of what it keeps alone.
                line = _decoder.decode(data.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                yield f"{where}: {_not_utf8(error)}"
            except msgspec.ValidationError as error:
                yield f"{where}: {error}"
            except msgspec.DecodeError as error:
                yield f"{where}: is not JSON: {half_character(data) or error}"
            else:
                yield text_of(line, where, settings)
    if is_empty:
        yield f"{path}: is empty"


def bounded_lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """The file's lines; of one that is too long a piece that still is, so that no line ever fills the memory."""
    while data := file.readline(longest + 1):
        rest = data
        while len(rest) > longest and not rest.endswith(b"\n"):
            rest = file.readline(longest + 1)
        yield data


def text_of(line: Line, where: str, settings: Settings) -> Text | str:
    """The text that a line describes, or what is wrong with it."""
    if not line.id:
        return f"{where}: the id is empty"
    if not line.code.strip():
        return f"{where}: the code is empty"
    both = (line.code, line.statement)
    code, statement = (f"{line.header}\n{text}" if line.header and text else text for text in both)
    operation = RunCode(
        code=code,
        timeout_seconds=settings.timeout_seconds if line.timeout_seconds is None else line.timeout_seconds,
        memory_bytes=settings.memory_bytes if line.memory_bytes is None else line.memory_bytes,
    )
    try:
        VerifyProof(proof=code, statement=statement).checked(max_bytes=settings.max_operation_bytes)
        operation.checked(max_bytes=settings.max_operation_bytes)
    except InvalidInputError as error:
        return f"{where}: {error.message}"
    return Text(id=line.id, operation=operation, statement=statement, expect=line.expect, where=where)


def half_character(data: bytes) -> str:
    """What is wrong with JSON that spells half a character, which its decoder only calls truncated."""
    return f"{found[0].decode()} is half a character" if (found := _LONE_SURROGATE.search(data)) else ""


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"is not UTF-8: byte 0x{error.object[error.start]:02x} at position {error.start}"


def _line_of(data: bytes, error: UnicodeDecodeError) -> int:
    return data.count(b"\n", 0, error.start) + 1
