"""Tables and plots of runs, and the table in the documentation against the program."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from workers.scaling.baselines import all_rules
from workers.scaling.plot import plot
from workers.scaling.report import HEADINGS, cells, markdown, sparkline
from workers.scaling.scenario import load_scenario
from workers.scaling.simulator import Run, simulate
from workers.scaling.workload import draw_workload

DOCUMENT = Path(__file__).parents[3] / "docs" / "scaling.md"


@cache
def compared(name: str) -> list[Run]:
    """A shipped scenario under all rules."""
    scenario = load_scenario(name)
    workload = draw_workload(scenario)
    return [simulate(scenario, rule, workload=workload) for rule in all_rules(scenario, workload)]


@pytest.fixture
def runs() -> list[Run]:
    return compared("no-capacity")


def test_a_table_has_a_row_for_each_rule(runs: list[Run]) -> None:
    lines = markdown(runs).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines] == ["rule", "---", *[run.rule for run in runs]]
    assert all(line.count("|") == len(HEADINGS) + 1 for line in lines)


def test_all_is_said_of_all_only(runs: list[Run]) -> None:
    assert cells(replace(runs[0], within_share=0.99999))[1] == "99.9 %"
    assert cells(replace(runs[0], within_share=1.0))[1] == "100 %"
    assert cells(replace(runs[0], within_share=0.5, unfinished=1000))[1] == "50.0 % (1,000 never)"


def test_a_plot_is_well_formed_and_has_a_line_for_each_rule_in_each_panel(runs: list[Run]) -> None:
    text = plot("a < b & c", runs)
    root = ET.fromstring(text)  # noqa: S314 - our own document
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}path")) == 4 * len(runs)
    assert root.findtext(f"{space}title") == "a < b & c"
    assert plot("a < b & c", runs) == text


def test_a_sparkline_keeps_peaks_and_never_hides_what_is_there() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 0, 0]) == "   "
    assert sparkline([0, 1, 1000, 0]) == " ▁█ "
    assert len(sparkline(list(range(1000)), width=60)) == 60


@pytest.mark.parametrize("name", ["no-capacity", "heavy-tails"])
def test_the_documented_table_is_what_the_program_prints(name: str) -> None:
    assert markdown(compared(name)) in DOCUMENT.read_text(encoding="utf-8"), (
        "docs/scaling.md is stale: leanfleet simulate --compare --markdown"
    )


def test_the_documented_plot_is_what_the_program_draws(runs: list[Run]) -> None:
    image = DOCUMENT.parent / "images" / "no-capacity.svg"
    assert image.read_text(encoding="utf-8") == plot("no-capacity", runs)
