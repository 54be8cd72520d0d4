"""docs/api.md has every public name, with its fields, parameters and defaults."""

import importlib.util
from types import ModuleType

from producer.api import __all__ as public
from tests.machines import ROOT


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_has_a_section() -> None:
    assert set(public) - set(reference().names()) == set(), "add them to SECTIONS of docs/reference.py"


def test_fields_parameters_and_defaults_are_those_of_the_code() -> None:
    found = reference()
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = {name: fact for name in found.names() for fact in found.facts(name) if fact not in page}
    assert missing == {}, "run: python docs/reference.py"


def test_a_field_that_is_not_on_the_page_is_missed() -> None:
    found = reference()
    facts = set(found.facts("Timing"))
    assert "| `lean_seconds` | `float` | `0.0` |" in facts
    assert any(fact.startswith("```python\nasync Client.run_tactics(") for fact in found.facts("Client"))
