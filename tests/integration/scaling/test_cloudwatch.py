"""What the controller tells CloudWatch: moto's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.scaling.amazon import REGION, Amazon, running_amazon
from workers.scaling.cloudwatch import CloudWatch
from workers.scaling.metrics import Metrics
from workers.scaling.providers.aws import AwsSettings


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with running_amazon() as running:
        running.reset()
        yield running


def told(amazon: Amazon, name: str) -> list[float]:
    """The sums of the last minutes, as an alarm sees them."""
    now = datetime.now(UTC)
    points = amazon.client("cloudwatch").get_metric_statistics(
        Namespace="LeanFleet/test",
        MetricName=name,
        Dimensions=[{"Name": "Queue", "Value": "q"}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return [point["Maximum"] for point in points]


async def test_a_controller_that_never_got_to_look_is_told_from_one_that_did(amazon: Amazon) -> None:
    metrics = Metrics()
    ahead = 0.0

    def clock() -> float:
        return datetime.now(UTC).timestamp() + ahead

    settings = AwsSettings(region=REGION, endpoint_url=amazon.url, metrics_namespace="LeanFleet/test")
    cloudwatch = CloudWatch(settings, metrics, "q", clock=clock)
    try:
        ahead = 500.0
        metrics.failed()
        await cloudwatch.tell()
        assert max(told(amazon, "SecondsSinceLook")) >= 500
        assert max(told(amazon, "FailedSteps")) == 1
        amazon.reset()
        ahead = 0.0
        metrics.leads(leads=True)
        await cloudwatch.tell()
        assert max(told(amazon, "SecondsSinceLook")) < 500
        assert max(told(amazon, "FailedSteps")) == 0, "a step's failure is told once"
        assert told(amazon, "OldestOperationSeconds") == [0]
    finally:
        await cloudwatch.close()
