"""From a row of a dataset to a proof: which column is what, and how a statement and a proof become one text."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from producer.errors import InvalidInputError
from producer.files import Line
from producer.theorems import find_theorems

# None may take time that grows faster than the text: no repetitions side by side that take the same characters, nor one
# over any number of lines, at each of which the search begins anew.
_DECLARES = re.compile(
    r"(?m)^[^\S\n]*(?:@\[[^\]]{0,1000}\]\s*){0,8}(?:private\s+|protected\s+){0,2}(?:theorem|lemma|example|def|instance)\b"
)
_OPEN_END = re.compile(r":=\s*(?:by\s*)?(?:sorry\s*)?\Z")
_ENDS_IN_BY = re.compile(r":=\s*by\s*(?:sorry\s*)?\Z")
_BY = re.compile(r"by(?![\w'])")


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Names of columns; `code` is a whole text and goes before `statement` and `proof`.

    A row may lack a column of these names, and has nothing there then. One of another name it must have: a column that
    was named wrongly would have a proof judged without its statement.
    """

    id: str = "name"
    code: str = "code"
    header: str = "header"
    statement: str = "statement"
    proof: str = "proof"


def parse_columns(given: str) -> Columns:
    """`id=problem,statement=formal_statement` as columns; InvalidInputError for what is not like this."""
    named: dict[str, str] = {}
    known = Columns.__struct_fields__
    for part in given.split(","):
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or field not in known:
            raise InvalidInputError(f"{part!r} maps no column: write FIELD=COLUMN with one of {', '.join(known)}")
        named[field] = column
    return Columns(**named)


def line_of(row: Mapping[str, Any], columns: Columns) -> Line | str:
    """The line that a row stands for, or what is wrong with it."""
    if lacking := [column for column in _named(columns) if column not in row]:
        return f"there is no column {lacking[0]!r}; there are {', '.join(repr(each) for each in row if each)}"
    found: dict[str, str] = {}
    for field in Columns.__struct_fields__:
        value = row.get(getattr(columns, field))
        if field == "id" and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not isinstance(value, str):
            return f"column {getattr(columns, field)!r} holds {type(value).__name__} and not text"
        found[field] = value or ""
    if not found["id"]:
        return f"there is no {columns.id!r} (--columns id=… says which column names the proof)"
    code = found["code"]
    if not code.strip():
        if not found["statement"].strip() and not found["proof"].strip():
            return (
                f"there is neither {columns.code!r} nor {columns.statement!r} and {columns.proof!r} "
                "(--columns code=…, or statement=…,proof=…, says which columns hold the text)"
            )
        code = joined(found["statement"], found["proof"])
    return Line(id=found["id"], code=code, header=found["header"], statement=unproved(found["statement"]))


def _named(columns: Columns) -> list[str]:
    """The names that are not the usual ones, so that somebody must have given them."""
    usual = Columns()
    return [name for field in Columns.__struct_fields__ if (name := getattr(columns, field)) != getattr(usual, field)]


def unproved(statement: str) -> str:
    """The statement as a text of its own, with `sorry` for a proof; empty where it names no theorem to compare."""
    head = _OPEN_END.sub("", statement.rstrip()).rstrip()
    return f"{head} := by sorry" if find_theorems(head) else ""


def joined(statement: str, proof: str) -> str:
    """One text of a theorem's statement and its proof.

    A proof that declares something is taken for the whole text. The statement may end before `:=`, after it, after
    `:= by`, or in `:= by sorry`; the proof may begin with `:=`, with `by`, or with the first tactic.
    """
    head, body = statement.rstrip(), proof.strip("\n").rstrip()
    if not body.strip() or _DECLARES.search(body):
        return body or head
    if not head:
        return body
    ends_in_by = _ENDS_IN_BY.search(head) is not None
    head = _OPEN_END.sub("", head).rstrip()
    start = body.lstrip()
    if start.startswith(":="):
        return f"{head} {start}"
    if _BY.match(start):
        return f"{head} := {start}"
    if ends_in_by:
        return f"{head} := by\n{_indented(body)}"
    return f"{head} :=\n{_indented(body)}"


def _indented(body: str) -> str:
    """Tactics keep their own shape; those at the margin are moved, for Lean ends a block there."""
    lines = body.split("\n")
    if lines[0][:1].isspace():
        return body
    # A first line at the margin with the others indented was cut out of a block: they stand where they stood.
    rest = [line for line in lines[1:] if line.strip()]
    depth = min((len(line) - len(line.lstrip()) for line in rest), default=0)
    if rest and depth > 0 and not _opens_block(lines[0]):
        return "\n".join([" " * depth + lines[0], *lines[1:]])
    return "\n".join(f"  {line}" if line.strip() else line for line in lines)


def _opens_block(line: str) -> bool:
    return line.rstrip().endswith(("by", "=>", "with", "do", "←", ":=", "<;>", "fun", ","))
