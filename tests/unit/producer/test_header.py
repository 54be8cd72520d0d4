import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.header import split_header


@pytest.mark.parametrize(
    ("code", "header"),
    [
        ("theorem a : True := trivial", ""),
        ("import Mathlib\ntheorem a : True := trivial", "import Mathlib"),
        ("-- ours\nimport Mathlib -- all of it\nimport Aesop\n\nopen Nat\n", "import Mathlib\nimport Aesop"),
        ("/- a\nblock -/ import Init", "import Init"),
        ("/- import Hidden -/ example : True := trivial", ""),  # a comment imports nothing
        ("/-- doc -/ theorem a : True := trivial", ""),  # a doc comment belongs to a declaration
        ("prelude\nimport Init.Prelude", "prelude\nimport Init.Prelude"),
        ("public import Lean\nmeta import Lean.Elab", "public import Lean\nmeta import Lean.Elab"),
        ("theorem import_x : True := trivial", ""),
        ("-- only a comment", ""),
        ("", ""),
        ("importMathlib", ""),
    ],
)
def test_imports_are_cut_off(code: str, header: str) -> None:
    assert split_header(code).header == header


@given(st.text(alphabet=st.sampled_from(list("import Mathlib\n-/! xé⊢"))))
def test_the_body_keeps_every_line_and_column(code: str) -> None:
    body = split_header(code).body

    assert [len(line) for line in body.split("\n")] == [len(line) for line in code.split("\n")]


def test_the_time_to_split_grows_with_the_text_and_not_faster() -> None:
    hostile = "/-" + "-" * 50_000 + "\n" + "import " * 20_000

    assert split_header(hostile).header == ""
