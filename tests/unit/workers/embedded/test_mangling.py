import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.embedded.mangling import mangle, quoted, unmangle_component


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        (("Lean", "Parser", "Tactic", "intro"), "l_Lean_Parser_Tactic_intro"),
        (("Nat", "add_comm"), "l_Nat_add__comm"),  # underscores are doubled
        (("term_+_",), "l_term___x2b__"),  # a byte is written with two digits
        (("term_∧_",), "l_term___u2227__"),  # the basic plane with four
        (("term𝓝",), "l_term_U0001d4dd"),  # the others with eight
    ],
)
def test_a_name_is_mangled_as_the_compiler_does(name: tuple[str, ...], symbol: str) -> None:
    assert mangle(name) == symbol


@given(st.text(min_size=1))
def test_unmangling_undoes_mangling(component: str) -> None:
    assert unmangle_component(mangle((component,))[2:]) == component


@pytest.mark.parametrize("text", ["a_b", "_", "a-b", "_x2"])
def test_what_is_no_single_component_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not one mangled component"):
        unmangle_component(text)


def test_only_what_is_no_plain_identifier_is_quoted() -> None:
    assert quoted(("Lean", "Parser", "Tactic", "tactic_<;>_")) == "Lean.Parser.Tactic.«tactic_<;>_»"
    assert quoted(("Lean", "Parser", "Tactic", "show")) == "Lean.Parser.Tactic.«show»"
    assert quoted(("Lean", "Parser", "Tactic", "exact?")) == "Lean.Parser.Tactic.exact?"
