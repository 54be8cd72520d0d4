"""From other people's columns to a text that Lean can read."""

import pytest

from producer.batch.columns import Columns, joined, line_of, parse_columns
from producer.errors import InvalidInputError
from producer.files import Line

HEAD = "theorem t (p : Prop) (h : p) : p"


@pytest.mark.parametrize("statement", [HEAD, f"{HEAD} :=", f"{HEAD} := by", f"{HEAD} := by sorry", f"{HEAD} := sorry"])
@pytest.mark.parametrize("proof", [":= by exact h", "by exact h"])
def test_a_proof_with_its_own_by_is_put_behind_the_statement_however_that_ends(statement: str, proof: str) -> None:
    assert joined(statement, proof) == f"{HEAD} := by exact h"


@pytest.mark.parametrize("statement", [f"{HEAD} := by", f"{HEAD} := by sorry", f"{HEAD} := by\n  sorry"])
def test_tactics_are_put_into_the_block_that_the_statement_opens(statement: str) -> None:
    assert joined(statement, "exact h") == f"{HEAD} := by\n  exact h"
    assert joined(statement, "have x := h\nexact x") == f"{HEAD} := by\n  have x := h\n  exact x"
    assert joined(statement, "  have x := h\n  exact x") == f"{HEAD} := by\n  have x := h\n  exact x"


@pytest.mark.parametrize("tactic", ["by_contra n", "by_cases c : p", "bycases"])
def test_a_tactic_whose_name_begins_with_by_is_no_by(tactic: str) -> None:
    assert joined(f"{HEAD} := by", f"{tactic}\nexact h") == f"{HEAD} := by\n  {tactic}\n  exact h"


def test_only_line_feeds_end_a_line() -> None:
    assert joined(f"{HEAD} := by", "-- a\u2028b\nexact h") == f"{HEAD} := by\n  -- a\u2028b\n  exact h"


def test_a_first_tactic_that_was_cut_out_of_its_block_stands_where_it_stood() -> None:
    assert joined(f"{HEAD} := by", "have x := h\n  exact x") == f"{HEAD} := by\n  have x := h\n  exact x"
    block = "have x : p := by\n  exact h\nexact x"
    assert joined(f"{HEAD} := by", block) == f"{HEAD} := by\n  have x : p := by\n    exact h\n  exact x"


def test_a_term_is_a_proof_of_a_statement_without_by() -> None:
    assert joined(f"{HEAD} :=", "h") == f"{HEAD} :=\n  h"
    assert joined(HEAD, "h") == f"{HEAD} :=\n  h"


def test_a_proof_that_declares_something_is_the_whole_text() -> None:
    whole = f"{HEAD} := h"
    assert joined(f"{HEAD} := by sorry", whole) == whole
    assert joined("", "#eval 1") == "#eval 1"
    assert joined(whole, "") == whole


@pytest.mark.parametrize(
    ("statement", "proof"),
    [
        ("theorem t : p :=" + " " * 100_000 + "x", "h"),
        ("theorem t : p := by" + " " * 100_000 + "x", "h"),
        (HEAD, "x" + "\n" * 500_000 + "x"),
        (HEAD, "@[\n" * 20_000),
        (HEAD, "@[simp]\n" * 100_000),
        (HEAD, "private\n" * 100_000),
    ],
)
def test_a_long_text_takes_no_time_that_grows_faster_than_it(statement: str, proof: str) -> None:
    """Where that is not so, this does not end."""
    assert joined(statement, proof).startswith("theorem t")


def test_a_row_becomes_a_line() -> None:
    row = {"name": 7, "header": "import Mathlib", "statement": f"{HEAD} := by", "proof": "exact h", "split": None}
    assert line_of(row, Columns()) == Line(
        id="7", header="import Mathlib", code=f"{HEAD} := by\n  exact h", statement=f"{HEAD} := by sorry"
    )
    columns = parse_columns("id=problem, code=lean")
    assert line_of({"problem": "p", "lean": "x", "statement": "no theorem"}, columns) == Line(id="p", code="x")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"statement": "x"}, "there is no 'name'"),
        ({"name": "x"}, "neither 'code' nor 'statement'"),
        ({"name": "x", "proof": ["a"]}, "column 'proof' holds list"),
        ({"name": True, "proof": "a"}, "column 'name' holds bool"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(row: dict[str, object], words: str) -> None:
    found = line_of(row, Columns())
    assert isinstance(found, str)
    assert words in found


def test_a_column_that_was_named_and_is_not_there_is_said() -> None:
    row = {"problem": "p", "formal_statement": f"{HEAD} := by sorry", "proof": "exact h"}
    assert line_of(row, parse_columns("id=problem,statement=formal_statemen")) == (
        "there is no column 'formal_statemen'; there are 'problem', 'formal_statement', 'proof'"
    )


@pytest.mark.parametrize("given", ["id", "id=", "nonsense=x", "=x", ""])
def test_a_mapping_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(InvalidInputError, match="FIELD=COLUMN"):
        parse_columns(given)
