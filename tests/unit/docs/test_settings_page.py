"""docs/settings.md has every setting of its tables, with the default."""

import json
import re

import msgspec
import pytest

from producer.settings import Settings
from tasks.reporting import MachineSettings
from tests.machines import ROOT
from workers.settings import WorkerSettings

ROW = re.compile(r"^\| `(\w+)` \|(.*?)\|(.*)\|$", re.MULTILINE)
# In words, since the default is another setting's value.
IN_WORDS = {
    "result_url": "the broker",
    "store_endpoint_url": "Amazon's",
    "id": "the host's name",
    "metadata_url": "the provider's",
}


def rows(title: str) -> dict[str, str]:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return {name: default for name, default, _ in ROW.findall(section)}


@pytest.mark.parametrize(
    ("title", "kind"), [("Top level", Settings), ("Workers", WorkerSettings), ("Machines", MachineSettings)]
)
def test_every_setting_is_on_the_page_with_its_default(title: str, kind: type[msgspec.Struct]) -> None:
    found = rows(title)
    assert set(found) == {field.name for field in msgspec.structs.fields(kind)}
    for name, value in msgspec.to_builtins(kind()).items():
        shown = found[name].strip("` ")
        if name in IN_WORDS:
            assert shown == IN_WORDS[name]
        elif shown:
            assert json.loads(shown) == value, name
        else:
            assert value == "", name
