import pytest

from workers.embedded.categories import category_of


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("Lean.Parser.Tactic.intro", "tactic"),
        ("Lean.Parser.Tactic.Conv.lhs", "conv"),
        ("Lean.Parser.Tactic.Conv.conv", "tactic"),  # the tactic that enters conversion mode
        ("Lean.Parser.Tactic.rcasesPat.tuple", "rcasesPat"),
        ("Lean.Parser.Attr.simp", "attr"),
        ("Lean.calc", "term"),
        ("Lean.calcTactic", "tactic"),
        ("term_∧_", "term"),
        ("precMax", "prec"),
        ("Lean.Parser.Tactic.mspec", None),  # program logic
        ("Lean.Server.Test.Cancel.tacticUnblock", None),  # the compiler's own tests
    ],
)
def test_a_parser_s_name_tells_its_category(name: str, category: str | None) -> None:
    assert category_of(tuple(name.split("."))) == category
