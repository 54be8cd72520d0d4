"""`python -m workers.scaling.health`: does this machine's controller go on? For a container's health check.

A step that could be made at all, also one of standing by, leaves its time in the metrics.
"""

import http.client
import sys
import time

from producer.errors import LeanFleetError
from producer.settings import load_section
from workers.scaling.metrics import LOOKED
from workers.scaling.settings import AutoscaleSettings

TIMEOUT_SECONDS = 4
# Steps that may be missed, and what one may take when a provider is slow.
MISSED_STEPS = 3
SLOW_SECONDS = 30


def health(metrics: str, interval_seconds: float, now: float) -> str:
    """Why the controller that serves these metrics is not well at unix time `now`; empty when it is."""
    looked = next((float(line.split()[1]) for line in metrics.splitlines() if line.startswith(f"{LOOKED} ")), 0.0)
    if not looked:
        return "the controller has not reached the broker yet"
    if now - looked > MISSED_STEPS * interval_seconds + SLOW_SECONDS:
        return f"the controller reached the broker {now - looked:.0f} s ago, and not since"
    return ""


def _metrics(settings: AutoscaleSettings) -> str:
    host = "127.0.0.1" if settings.metrics_address in ("0.0.0.0", "") else settings.metrics_address  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.metrics_port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def main() -> int:
    """Print what is wrong and return 1, or return 0."""
    try:
        settings = load_section("autoscale", AutoscaleSettings)
        if not settings.metrics_port:
            problem = "metrics_port is 0: nothing tells of the controller"
        else:
            problem = health(_metrics(settings), settings.interval_seconds, time.time())
    except (LeanFleetError, OSError, http.client.HTTPException, ValueError) as error:
        problem = f"the controller does not answer: {error}"
    if problem:
        print(problem, file=sys.stderr)  # noqa: T201 - what `docker inspect` shows
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
