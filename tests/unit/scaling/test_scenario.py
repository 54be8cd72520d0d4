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


def _kinds(count: int) -> str:
    """So many kinds, the last of which is still to be said."""
    constant = "{seconds: {distribution: constant, seconds: 1}}"
    return "".join(f"k{number}: {constant}, " for number in range(1, count)) + "run_code:"


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
        (SMALLEST.replace("slots: 8", "slots: 0"), r">= 1 - at `\$.offers\[0\].slots`"),
        (SMALLEST + "decide_every_seconds: 0", r"decide_every_seconds"),
        (SMALLEST + "droughts: [{from_seconds: 0, until_seconds: 1, offers: [moon]}]", "moon"),
        (SMALLEST + "policy: {busy_share: 7}", "busy_share"),
        (SMALLEST.replace("seconds: {dist", "share: 0, seconds: {dist"), "positive together"),
        (SMALLEST.replace("seconds: 1}", "seconds: .nan}"), r"seconds\.seconds"),
        (SMALLEST.replace("seconds: 1}", "seconds: -1}"), r"seconds\.seconds"),
        (SMALLEST.replace("constant, seconds: 1", "lognormal, mean_seconds: 0"), "mean_seconds"),
        (SMALLEST.replace("constant, seconds: 1", "pareto, mean_seconds: 1, shape: 1"), "shape"),
        (SMALLEST.replace("constant, seconds: 1", "uniform, low_seconds: 2, high_seconds: 1"), "low_seconds must not"),
        (SMALLEST.replace("operations: 10", "operations: 10, at_seconds: 1.0e+12"), "at_seconds"),
        (SMALLEST.replace("operations: 10", "operations: 1000000000"), "take a part"),
        (SMALLEST.replace("burst, operations: 10", "steady, per_second: 1.0e+6, until_seconds: 1000"), "take a part"),
        (SMALLEST.replace("burst, operations: 10", "steady, per_second: 0, until_seconds: 1000"), "per_second"),
        (SMALLEST.replace("burst", "steps, every_seconds: 0, until_seconds: 100"), "every_seconds"),
        (SMALLEST.replace("burst, operations: 10", "daily, low_per_second: 0, high_per_second: 0"), "high_per_second"),
        (SMALLEST.replace("burst, operations: 10", "daily, low_per_second: 2, high_per_second: 1"), "low_per_second"),
        (SMALLEST.replace("run_code:", _kinds(257)), "256 kinds"),
        (SMALLEST + "quiet_seconds: .inf", "quiet_seconds"),
        (SMALLEST + "decide_every_seconds: 1.0e-9", "decide_every_seconds"),
        (SMALLEST + "waves: [{at_seconds: 1, share: 2}]", "share"),
        (SMALLEST + "policy: {clear_within_seconds: .inf}", "clear_within_seconds"),
        (SMALLEST + "policy: {assumed_service_seconds: .inf}", "assumed_service_seconds"),
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
