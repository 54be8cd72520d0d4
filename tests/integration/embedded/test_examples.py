"""The examples say of themselves what Lean thinks of them; here Lean is asked about those that harm no process."""

import collections
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.embedded.repl import Repl

_EXAMPLES = Path(__file__).parents[3] / "examples" / "theorems.jsonl"


@pytest.fixture(scope="module")
def examples() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _EXAMPLES.read_text().splitlines()]


def test_there_are_enough_examples_of_each_kind(examples: list[dict[str, Any]]) -> None:
    outcomes = collections.Counter(
        "proved" if example["expect"]["verdict"] == "proved" else example["expect"]["outcome"] for example in examples
    )
    assert outcomes["proved"] >= 200
    assert sum(outcomes.values()) - outcomes["proved"] >= 40
    assert {"lean_error", "ok", "timeout", "out_of_memory", "repl_died"} <= outcomes.keys()
    assert max(example["code"].count("\n") + 1 for example in examples) <= 30


def test_ids_are_unique(examples: list[dict[str, Any]]) -> None:
    assert len({example["id"] for example in examples}) == len(examples)


def test_each_harmless_example_comes_out_as_it_says(examples: list[dict[str, Any]], repl: Repl) -> None:
    surprises = []
    for example in examples:
        if example["expect"]["outcome"] not in ("ok", "lean_error"):
            continue
        messages = repl.ask(cmd=example["code"]).get("messages", [])
        if any(message["severity"] == "error" for message in messages):
            found = ("not_proved", "lean_error")
        elif any("declaration uses `sorry`" in message["data"] for message in messages):
            found = ("not_proved", "ok")
        else:
            found = ("proved", "ok")
        if found != (example["expect"]["verdict"], example["expect"]["outcome"]):
            surprises.append((example["id"], found, messages))
    assert surprises == []
