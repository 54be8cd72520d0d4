"""The few numbers of a controller that Amazon's alarms need, put into CloudWatch by the controller itself.

Prometheus has all of them; this is for a fleet beside which none runs, and needs no agent on the machine. Each is told
once a minute, whatever the controller does: an alarm that gets nothing knows that nobody sizes the fleet.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from workers.scaling.metrics import Metrics
from workers.scaling.providers.aws import AwsSettings

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 60.0
TIMEOUT_SECONDS = 10


class CloudWatch:
    """`run` until cancelled. What cannot be told is logged, and told anew a minute later."""

    def __init__(
        self, settings: AwsSettings, metrics: Metrics, queue: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        """The namespace is `settings.metrics_namespace`, the dimension the queue."""
        self._namespace = settings.metrics_namespace
        self._metrics = metrics
        self._dimensions = [{"Name": "Queue", "Value": queue}]
        self._clock = clock
        self._began = clock()
        self._failed = 0.0
        make: Any = boto3.client  # its stubs are installed for some services alone
        self._client = make(
            "cloudwatch",
            region_name=settings.region or None,
            endpoint_url=settings.endpoint_url or None,
            config=Config(
                connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 2}
            ),
        )

    async def run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            try:
                await self.tell()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next minute may be better, and scaling goes on
                logger.warning("CloudWatch was not told: %s", error)

    async def tell(self) -> None:
        """Put what is true now. Raises what botocore raises."""
        seen = self._metrics.seen()
        now = self._clock()
        data = {
            # As old as the controller itself where it never got that far.
            "SecondsSinceLook": (now - (seen.looked_at or self._began), "Seconds"),
            "FailedSteps": (seen.failed_steps - self._failed, "Count"),
            "QueuedOperations": (seen.queued, "Count"),
            "OldestOperationSeconds": (seen.oldest_seconds, "Seconds"),
            "WarmMachines": (seen.warm_machines, "Count"),
        }
        await asyncio.to_thread(
            self._client.put_metric_data,
            Namespace=self._namespace,
            MetricData=[
                {"MetricName": name, "Value": value, "Unit": unit, "Dimensions": self._dimensions}
                for name, (value, unit) in data.items()
            ],
        )
        self._failed = seen.failed_steps

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)
