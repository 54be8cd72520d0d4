"""The modules by themselves: their form, their validity, and what Terraform's own tests say of them."""

import json
import re
from pathlib import Path

import pytest

from tests.infra.schema import SCHEMA, used_types
from tests.infra.terraform import MODULES, ROOT, TESTED, Terraform

FOLDERS = [*MODULES, ROOT / "examples/aws", ROOT / "examples/gcp"]


def blocks(folder: Path, kind: str) -> dict[str, str]:
    """Name → text of each block of a kind; `terraform fmt` sees to it that they end with a brace at a line's begin."""
    text = "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.tf")))
    return dict(re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL))


def test_everything_is_formatted(terraform: Terraform) -> None:
    done = terraform(".", "fmt", "-check", "-recursive", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_takes_and_gives(folder: Path) -> None:
    assert {file.name for file in folder.glob("*.tf")} == {"main.tf", "variables.tf", "outputs.tf", "versions.tf"}
    variables, outputs = blocks(folder, "variable"), blocks(folder, "output")
    assert variables
    assert [name for name, text in variables.items() if "  description = " not in text or "  type " not in text] == []
    assert [name for name, text in outputs.items() if "  description = " not in text] == []


@pytest.mark.parametrize("example", ["examples/aws", "examples/gcp"])
def test_an_example_is_valid(example: str, terraform: Terraform) -> None:
    assert "valid" in terraform.must(example, "validate", "-no-color")


def test_an_argument_that_google_does_not_know_is_refused(terraform: Terraform) -> None:
    terraform.init("modules/gcp/broker")
    file = terraform.folder / "modules/gcp/broker/main.tf"
    right = file.read_text(encoding="utf-8")
    file.write_text(right.replace("transit_encryption_mode", "transit_encryption"), encoding="utf-8")
    try:
        done = terraform("modules/gcp/broker", "validate", "-no-color")
    finally:
        file.write_text(right, encoding="utf-8")
    assert done.returncode == 1
    assert 'An argument named "transit_encryption" is not expected here' in done.stderr


def test_the_schema_covers_what_the_modules_use() -> None:
    known = json.loads(SCHEMA.read_text(encoding="utf-8"))["resource_schemas"]
    assert used_types() == set(known), "run python -m tests.infra.schema, as its docstring says"


def test_workers_touch_the_same_folders_of_the_store_on_either_cloud() -> None:
    amazon = (ROOT / "modules/aws/workers/main.tf").read_text(encoding="utf-8")
    google = (ROOT / "modules/gcp/bucket/main.tf").read_text(encoding="utf-8")
    folders = re.search(r"folders = \[(.*)\]", google)
    assert folders is not None
    assert re.findall(r'prefix}/([a-z-]+)/\*"', amazon) == re.findall(r'"([a-z-]+)"', folders[1])


@pytest.mark.parametrize("folder", TESTED)
def test_terraforms_own_tests_pass(folder: str, terraform: Terraform) -> None:
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", terraform.must(folder, "test", "-no-color"))
