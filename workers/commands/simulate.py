"""`leanfleet simulate`: what would the fleet do?"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from producer.errors import InvalidInputError
from workers.scaling.baselines import all_rules
from workers.scaling.plot import plot
from workers.scaling.report import HEADINGS, as_dict, cells, markdown, sparkline
from workers.scaling.scenario import Scenario, load_scenario, shipped_names
from workers.scaling.simulator import Run
from workers.scaling.simulator import simulate as run_simulation
from workers.scaling.workload import draw_workload


def simulate(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO...", help="YAML files, or names of shipped scenarios.")
    ] = None,
    *,
    compare: Annotated[bool, typer.Option("--compare", help="Try the other rules on the same operations too.")] = False,
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's own.")] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write one plot for each scenario there.", file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each run.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for a document.")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="List the shipped scenarios and exit.")] = False,
) -> None:
    """Simulate the fleet under the scaling policy.

    It is the same function that `leanfleet autoscale` obeys. Without a scenario all that are shipped are run. Equal
    scenarios and seeds give equal results. The columns: "in time" is the share of operations that were done within the
    policy's clear_within_seconds of being enqueued; "busy" the share of busy slots on machines that were up while there
    was any work; "hours" are machine-hours; "peak" is the most machines at once; "redone" counts deliveries that were
    interrupted and came again.
    """
    if as_json and as_markdown:
        raise InvalidInputError("--json and --markdown exclude each other")
    loaded = [load_scenario(source) for source in scenarios or shipped_names()]
    if show_list:
        for scenario in loaded:
            typer.echo(f"{scenario.name}: {scenario.description}")
        return
    for scenario in loaded:
        runs = _run(scenario, compare=compare, seed=seed)
        if as_json:
            number = scenario.seed if seed is None else seed
            for run in runs:
                typer.echo(json.dumps(as_dict(scenario.name, number, run)))
        elif as_markdown:
            typer.echo(f"**{scenario.name}**: {scenario.description.strip()}\n\n{markdown(runs)}")
        else:
            _show(scenario, runs)
        if svg is not None:
            _write(svg / f"{scenario.name}.svg", plot(scenario.name, runs))


def _run(scenario: Scenario, *, compare: bool, seed: int | None) -> list[Run]:
    workload = draw_workload(scenario, seed=seed)
    rules = all_rules(scenario, workload)
    runs = []
    for rule in rules if compare else rules[:1]:
        if sys.stderr.isatty():
            typer.echo(f"{scenario.name}: {rule.name}, {len(workload):,} operations …\r", err=True, nl=False)
        runs.append(run_simulation(scenario, rule, workload=workload, seed=seed))
    return runs


def _show(scenario: Scenario, runs: Sequence[Run]) -> None:
    console = Console(highlight=False)
    console.print(f"{scenario.name}: {scenario.description.strip()}", markup=False, style="bold")
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == HEADINGS[0] else "right", no_wrap=True)
    for run in runs:
        table.add_row(*cells(run))
    console.print(table)
    ours = runs[0].samples
    console.print(f"  queue    {sparkline([sample.queued for sample in ours])}", markup=False)
    machines = [sample.booting + sample.warm + sample.draining for sample in ours]
    console.print(f"  machines {sparkline(machines)}\n", markup=False)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"cannot write {path}: {error.strerror}") from error
    typer.echo(f"wrote {path}", err=True)
