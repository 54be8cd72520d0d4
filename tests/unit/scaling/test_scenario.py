from pathlib import Path

import pytest

from producer.errors import InvalidInputError
from workers.scaling.scenario import load_scenario, parse_scenario, shipped_names

SMALLEST = """
description: the least that a scenario must say
operations: {run_code: {seconds: {distribution: constant, seconds: 1}}}
arrivals: [{type: burst, operations: 10}]
offers: [{name: spot, slots: 8, price_per_hour: 0.1}]
"""


def test_five_scenarios_are_shipped_and_each_says_what_it_is() -> None:
    assert shipped_names() == ["cold-start", "daily-rhythm", "heavy-tails", "no-capacity", "preemption-storm"]
    assert all(load_scenario(name).description for name in shipped_names())


def test_a_file_is_named_after_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SMALLEST)
    assert load_scenario(str(tmp_path / "mine.yaml")).name == "mine"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "is not YAML"),
        ("", "Expected `object`"),
        (SMALLEST.replace("description", "descriptoin"), "descriptoin"),
        (SMALLEST.replace("operations: 10", "operations: ten"), r"\$.arrivals\[0\].operations"),
        (SMALLEST.replace("type: burst", "type: flood"), "flood"),
        (SMALLEST.replace("[{type: burst, operations: 10}]", "[]"), "arrivals must not be empty"),
        (SMALLEST.replace("slots: 8", "slots: 0"), "at least one slot"),
        (SMALLEST + "decide_every_seconds: 0", "decide_every_seconds must be positive"),
        (SMALLEST + "droughts: [{from_seconds: 0, until_seconds: 1, offers: [moon]}]", "moon"),
        (SMALLEST + "policy: {busy_share: 7}", "busy_share"),
        (SMALLEST.replace("seconds: {dist", "share: 0, seconds: {dist"), "positive together"),
    ],
)
def test_what_is_no_scenario_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        parse_scenario(text)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match="cold-start, daily-rhythm"):
        load_scenario("cold-strat")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInputError, match=r"cannot read .*x\.yaml"):
        load_scenario(str(tmp_path / "x.yaml"))
