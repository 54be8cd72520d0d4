import importlib
import json
import pickle
import re
from pathlib import Path

import pytest

from producer.errors import LeanFleetError

ROOT = Path(__file__).parents[3]
OURS = re.compile(r"^class \w+Error\((?!Exception|ValueError)", re.MULTILINE)
# A kind is known once its module is imported, and which are must not depend on what other tests import.
for path in (
    ROOT / "leanfleet.py",
    *ROOT.glob("producer/**/*.py"),
    *ROOT.glob("workers/**/*.py"),
    *ROOT.glob("tasks/**/*.py"),
):
    if OURS.search(path.read_text(encoding="utf-8")):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
ALL = sorted(LeanFleetError.by_name.values(), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_survives_a_pickle(kind: type[LeanFleetError]) -> None:
    error = kind("what happened; what to do")

    assert pickle.loads(pickle.dumps(error)) == error  # noqa: S301 - our own bytes


@pytest.mark.parametrize("kind", ALL)
def test_every_error_survives_json(kind: type[LeanFleetError]) -> None:
    error = kind("what happened; what to do")

    assert LeanFleetError.from_dict(json.loads(json.dumps(error.to_dict()))) == error


def test_an_error_of_a_newer_version_comes_back_as_the_root() -> None:
    assert LeanFleetError.from_dict({"error": "NotYetInvented", "message": "x"}) == LeanFleetError("x")


def test_context_is_put_before_the_message() -> None:
    assert str(LeanFleetError("not JSON").with_context("a.jsonl, line 3")) == "a.jsonl, line 3: not JSON"
