"""The dashboard and the alerts ask for metrics and labels that a real worker, controller and client have."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
import yaml

from producer.client import Client
from tests.integration.monitoring.conftest import StartMachine
from tests.machines import ROOT
from tests.metrics import Scrape, scrape
from tests.needs import need
from workers.scaling.metrics import Metrics

MONITORING = ROOT / "infra" / "monitoring"

_METRIC = re.compile(r"\b((?:leanfleet|process)_\w+|up)\b(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)\s*[=!]~?\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|ignoring) \(([^)]*)\)")
# Of every series that Prometheus scrapes.
_TARGET_LABELS = {"instance", "job"}
# What Prometheus itself writes.
_OWN = {"up"}


def dashboard() -> Any:
    return json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))


def expressions() -> Iterator[tuple[str, str]]:
    """Where and what: all that is asked of Prometheus."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


@pytest.fixture
async def existing(start_machine: StartMachine, fleet: Client, port: int) -> dict[str, set[str]]:
    """Label names by metric name, after a little of everything has happened."""
    await asyncio.to_thread(start_machine)
    hole = (await fleet.run_code("theorem t : True := sorry")).sorries[0].state
    assert hole is not None
    await fleet.run_tactics(hole, ["trivial"])
    await fleet.run_code("%hang", timeout_seconds=0.2)
    worker = await asyncio.to_thread(scrape, f"http://127.0.0.1:{port}/metrics")
    controller = Scrape(prometheus_client.generate_latest(controller_metrics().registry).decode())
    found: dict[str, set[str]] = {}
    for family in (*worker.families.values(), *controller.families.values()):
        found |= {name: set() for name in _names(family)}  # also of those that have no sample yet
    for sample in (*worker.samples, *controller.samples, *Scrape(fleet.stats().text()).samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def controller_metrics() -> Metrics:
    metrics = Metrics()
    metrics.launched("offer", 1)
    metrics.refused("offer")
    metrics._blocked.labels("offer").set(0)
    for state in ("warm",):
        metrics._machines.labels(state).set(1)
    return metrics


def _names(family: Any) -> tuple[str, ...]:
    match family.type:
        case "counter":
            return (f"{family.name}_total",)
        case "histogram":
            return tuple(f"{family.name}_{part}" for part in ("bucket", "sum", "count"))
        case _:
            return (family.name,)


async def test_every_metric_and_label_that_is_asked_for_exists(existing: dict[str, set[str]]) -> None:
    asked = 0
    for where, expression in expressions():
        labels: set[str] = set()
        for name, matchers in _METRIC.findall(expression):
            if name not in _OWN:
                assert name in existing, f"{where}: there is no {name}"
                used = {label for label, _ in _LABEL.findall(matchers)}
                assert used <= existing[name] | _TARGET_LABELS, f"{where}: {name} has no {used - existing[name]}"
                labels |= existing[name]
            asked += 1
        for grouping in _GROUPING.findall(expression):
            unknown = {label.strip() for label in grouping.split(",")} - labels - _TARGET_LABELS
            assert not unknown, f"{where}: nothing there has the label {unknown}"
    assert asked > 60


def test_the_dashboard_can_be_imported_anywhere() -> None:
    board = dashboard()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    variables = {variable["name"] for variable in board["templating"]["list"]}
    for panel in board["panels"]:
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    named = set(re.findall(r"\$\{?(\w+)", json.dumps(board))) - {"__rate_interval", "__all"}
    assert named <= variables


def test_every_alert_is_explained_in_the_docs() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert f"`{rule['alert']}`" in page


@pytest.mark.parametrize(
    "words",
    [("check", "rules", "alerts.yaml"), ("check", "config", "prometheus.yaml"), ("test", "rules", "alerts_test.yaml")],
)
def test_prometheus_agrees(words: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    need("promtool", "" if promtool else "promtool is not installed (Debian: apt-get install prometheus)")
    done = subprocess.run(
        [promtool or "", *words], cwd=MONITORING, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
