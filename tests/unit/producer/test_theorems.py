import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.theorems import find_theorems, read


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("", ()),
        ("theorem a : True := trivial", ("a",)),
        ("lemma a : True := trivial\ntheorem b : True := trivial", ("a", "b")),
        ("@[simp] private theorem a.b' : True := trivial", ("a.b'",)),
        ("theorem «odd name».x₁ : True := trivial", ("«odd name».x₁",)),
        ("theorem\n  a : True := trivial", ("a",)),
        ("theorem foo.{u} (a : Type u) : True := trivial", ("foo",)),
        ("example : True := trivial", ()),
        ("def theorem_x := 1\n#check mytheorem y\nopen Foo.theorem", ()),
        # namespaces and sections
        ("namespace A\ntheorem b : True := trivial\nend A\ntheorem c : True := trivial", ("A.b", "c")),
        ("namespace A.B\ntheorem c : True := trivial\nend A.B\ntheorem d : True := trivial", ("A.B.c", "d")),
        ("namespace A\nnamespace B\ntheorem c : True := trivial\nend A.B\ntheorem d : True := trivial", ("A.B.c", "d")),
        ("namespace A\nsection S\ntheorem b : True := trivial\nend S\ntheorem c : True := trivial", ("A.b", "A.c")),
        ("section\ntheorem b : True := trivial\nend\ntheorem c : True := trivial", ("b", "c")),
        (
            "section A.B\nnamespace N\ntheorem b : True := trivial\nend N\nend A.B\ntheorem c : True := trivial",
            ("N.b", "c"),
        ),
        ("namespace A\nmutual\ntheorem b : True := trivial\nend\ntheorem c : True := trivial", ("A.b", "A.c")),
        ("namespace A\ntheorem _root_.b : True := trivial", ("b",)),
        ("end A\ntheorem b : True := trivial", ("b",)),
        # what is not code
        ("-- theorem a\n/- theorem b /- nested -/ theorem c -/ theorem d : True := trivial", ("d",)),
        ("/-- theorem doc -/ theorem d : True := trivial", ("d",)),
        ('def s := "theorem a \\" theorem b"\ntheorem c : True := trivial', ("c",)),
        ("def c := '\"'\ntheorem a' : True := trivial\ndef d := '\\''\ndef e := '\"'", ("a'",)),
        ("/- never closed\ntheorem a : True := trivial", ()),
        # what could hide a theorem from a reader that is not Lean's
        ("theorem/- /- -/ -/a : True := trivial", ("a",)),
        ("theorem -- of\n a : True := trivial", ("a",)),
        ("theorem«a b» : True := trivial", ("«a b»",)),
        ("def x := 1theorem a : True := trivial", ("a",)),
        ("def x := p.1theorem a : True := trivial", ("a",)),
        ("def x := y⁻¹theorem a : True := trivial", ("a",)),
        ('def s := r"\\"\ntheorem a : True := trivial -- "', ("a",)),
        ('def s := r#"a"\\"#\ntheorem a : True := trivial -- "', ("a",)),
        ("section theorem a : True := trivial\nend theorem b : True := trivial", ("a", "b")),
        # the same name twice is an error in Lean, and one question for us
        ("theorem a : True := trivial\ntheorem a : True := trivial", ("a",)),
    ],
)
def test_theorems_are_found_with_their_full_names(code: str, names: tuple[str, ...]) -> None:
    assert find_theorems(code) == names


@given(
    st.lists(st.sampled_from(["theorem ", "a", ".", "/-", "-/", "--", "\n", '"', "namespace ", "end ", "«", "»", " "]))
)
def test_no_text_confuses_the_search_so_much_that_it_fails(parts: list[str]) -> None:
    for name in find_theorems("".join(parts)):
        assert name
        assert not name.startswith(".")


@pytest.mark.parametrize(
    "hiding",
    [
        """def s := s!"{'"'}"\ntheorem hidden : False := sorry\ndef u := "" """,
        'def s := s!"{ "--" }" theorem hidden : False := sorry',
        'def s := s!"{ "/-" }"\ntheorem hidden : False := sorry\n-- -/',
        'def «"» := 1\ntheorem hidden : False := sorry\ndef «a"b» := 2',
        "def «/-» := 1\ntheorem hidden : False := sorry",
        '/--/ " -/\ntheorem hidden : False := sorry\ndef d := "x"',
        '#check_failure !\'"\'\ntheorem hidden : False := sorry\ndef d := "x"',
        "#check_failure !'«'\ntheorem hidden : False := sorry\n-- »",
        "def s := s!\"{1}\"\n#check '«'\ntheorem hidden : False := sorry\n-- »",
        '#check_failure f ∘ₗr"\\"\ntheorem hidden : False := sorry\ndef d := "x"',
    ],
)
def test_a_theorem_is_found_behind_what_looks_like_a_string_or_comment(hiding: str) -> None:
    assert "hidden" in find_theorems(f"theorem t : 1 = 1 := rfl\n{hiding}")


def test_words_in_plain_strings_and_comments_are_no_theorems() -> None:
    assert find_theorems('def s := "theorem a" -- theorem b\n/- theorem c -/ theorem t : 1 = 1 := rfl') == ("t",)


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("namespace A.B\nsection C\nsection", ("", "C", "B", "A")),
        ("namespace A\nend A\nnoncomputable section", ("",)),
        ("section\n-- section D\nend", ()),
    ],
)
def test_scopes_that_are_left_open_are_known(code: str, left: tuple[str, ...]) -> None:
    assert read(code).open_scopes == left


@pytest.mark.parametrize(
    ("code", "is_certain"),
    [
        ('namespace A\ndef s := "namespace B" -- {\n/- end A -/\nend A', True),
        ('namespace A\ndef s := s!"{1}"\ntheorem t : 1 = 1 := rfl', True),
        ('def s := s!"{1}"\n-- namespace B\ntheorem t : 1 = 1 := rfl', False),
        ('namespace A\ndef s := s!"{1}"\n-- end A\ntheorem t : 1 = 1 := rfl', False),
    ],
)
def test_scopes_that_may_be_a_comments_are_told(code: str, is_certain: bool) -> None:
    assert read(code).is_certain is is_certain
