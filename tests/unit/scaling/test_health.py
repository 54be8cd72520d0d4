"""When a controller's container is taken for well, from what it tells Prometheus."""

from prometheus_client import generate_latest

from workers.scaling.health import MISSED_STEPS, SLOW_SECONDS, health
from workers.scaling.metrics import LOOKED, Metrics

INTERVAL = 10.0


def test_a_controller_that_has_looked_is_well_also_when_another_leads() -> None:
    metrics = Metrics()
    before = generate_latest(metrics.registry).decode()
    assert "has not reached the broker yet" in health(before, INTERVAL, now=1e9)
    metrics.leads(leads=False)
    text = generate_latest(metrics.registry).decode()
    [looked] = [float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{LOOKED} ")]
    patience = MISSED_STEPS * INTERVAL + SLOW_SECONDS
    assert not health(text, INTERVAL, now=looked + patience - 1)
    assert "and not since" in health(text, INTERVAL, now=looked + patience + 1)
