import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.theorems import find_theorems


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
