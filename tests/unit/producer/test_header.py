import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.header import is_header, split_header


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
        ("import A/- and -/import B", "import A\nimport B"),
        ("import «a-b».C'\nimport Ω.x₁", "import «a-b».C'\nimport Ω.x₁"),
        ("import Init;example:1=1:=by(repeat(skip))", "import Init"),
        ("import \0", ""),
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


CODE = st.lists(
    st.sampled_from(
        ["import", " ", "\n", "A", ".b", "«", "»", ";", "/-", "-/", "--", "all ", "public ", "module", "\0", "("]
    )
).map("".join)


@given(CODE)
def test_what_was_cut_off_is_a_header(code: str) -> None:
    assert is_header(split_header(code).header)


@pytest.mark.parametrize(
    "text",
    [
        "import \0",
        "import Init\nexample : 1 = 1 := by (repeat skip)",
        "import Init;example:1=1:=by(repeat(skip))",
        "import Init -- and more",
        "def a := 1",
        "\n",
        "import «\ud800»",
    ],
)
def test_what_is_not_imports_alone_is_no_header(text: str) -> None:
    assert not is_header(text)
