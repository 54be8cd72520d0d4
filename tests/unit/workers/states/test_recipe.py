"""What is put back where a recipe was cut must be what the reference says."""

import msgspec
import pytest

from producer.errors import BlobCorruptError
from producer.state import CommandStep, PrefixRef, SorryStep, StateRef, TacticStep
from workers.states.recipe import decode_recipe, encode_recipe, expand

WHOLE = StateRef(project="p", header="import Init").then(
    CommandStep("theorem a : True ∧ True := by sorry"), SorryStep(0), TacticStep("constructor")
)
CUT = StateRef(
    project="p",
    header="import Init",
    prefix=PrefixRef(id=WHOLE.id, steps=3, kind="proof_state", sha256="0" * 64),
    steps=(TacticStep("trivial"),),
)


def test_a_stored_recipe_is_put_back() -> None:
    expanded = expand(CUT, decode_recipe(encode_recipe(WHOLE)))
    assert expanded == WHOLE.then(TacticStep("trivial"))
    assert expanded.id == CUT.id


@pytest.mark.parametrize("lie", [{"project": "q"}, {"project": ""}, {"header": ""}])
def test_a_reference_that_names_another_project_or_header_than_its_recipe_is_refused(lie: dict[str, str]) -> None:
    """Its id is the recipe's: a worker of the other project would load its pickles onto an environment of its own."""
    with pytest.raises(BlobCorruptError, match="another project or header"):
        expand(msgspec.structs.replace(CUT, **lie), WHOLE)
