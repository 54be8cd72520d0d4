"""Being told by the cloud that this machine will be taken away, in time to hand its work on.

Amazon announces an interruption two minutes ahead, and sometimes earlier that one is likely; Google sets a flag and
gives thirty seconds. Both are asked every few seconds, over HTTP on a link-local address.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html,
https://cloud.google.com/compute/docs/instances/create-use-preemptible
"""

import asyncio
import datetime as dt
import http.client
import json
import logging
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from producer.errors import SettingsError

logger = logging.getLogger("leanfleet.preemption")

AWS_URL = "http://169.254.169.254"
GCP_URL = "http://metadata.google.internal"
POLL_SECONDS = 2.0
# From Google's announcement until the machine is gone.
GCP_NOTICE_SECONDS = 30.0
# Handing back takes a moment, and clocks differ.
MARGIN_SECONDS = 5.0
# A likely interruption has no date; what runs may finish, however long it takes within reason.
REBALANCE_SECONDS = 3600.0

_REQUEST_SECONDS = 1.0
_TOKEN_SECONDS = 21_600
_INTERRUPTION = "/latest/meta-data/spot/instance-action"
_REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
_PREEMPTED = "/computeMetadata/v1/instance/preempted"


class Notice(NamedTuple):
    """`grace_seconds` is what is left for work, counted from when the notice was read."""

    reason: str
    grace_seconds: float


class Watcher:
    """Asks the machine's metadata service until it has something to say."""

    def __init__(self, provider: str, *, url: str = "", poll_seconds: float = POLL_SECONDS) -> None:
        """`provider` is `aws` or `gcp`; `url` replaces the address of its metadata service.

        Raises:
            SettingsError: no such provider.
        """
        if provider not in ("aws", "gcp"):
            raise SettingsError(f"machine provider must be aws or gcp, not {provider!r}")
        self._look = self._aws if provider == "aws" else self._gcp
        self._url = url or (AWS_URL if provider == "aws" else GCP_URL)
        self._poll_seconds = poll_seconds
        self._token = ""

    async def wait(self) -> Notice:
        """Return at the first notice. A service that does not answer is asked again, and named in the log once."""
        failing = False
        while True:
            try:
                notice = await asyncio.to_thread(self._look)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if not failing:
                    logger.warning("cannot ask %s whether this machine is preempted: %s", self._url, error)
                failing = True
            else:
                failing = False
                if notice is not None:
                    return notice
            await asyncio.sleep(self._poll_seconds)

    def _aws(self) -> Notice | None:
        if (body := self._aws_get(_INTERRUPTION)) is not None:
            return interruption(body, now=time.time())
        if self._aws_get(_REBALANCE) is not None:
            return Notice("AWS expects to interrupt this machine", REBALANCE_SECONDS)
        return None

    def _aws_get(self, path: str) -> str | None:
        """None when there is nothing there. Tokens end: a refused one is renewed."""
        for _ in range(2):
            if not self._token:
                ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
                status, token = self._request("PUT", "/latest/api/token", ttl)
                if status != http.client.OK:
                    raise ValueError(f"no session token: status {status}")
                self._token = token
            status, body = self._request("GET", path, {"X-aws-ec2-metadata-token": self._token})
            if status == http.client.OK:
                return body
            if status == http.client.NOT_FOUND:
                return None
            self._token = ""
        raise ValueError(f"status {status} for {path}")

    def _gcp(self) -> Notice | None:
        status, body = self._request("GET", _PREEMPTED, {"Metadata-Flavor": "Google"})
        if status != http.client.OK:
            raise ValueError(f"status {status} for {_PREEMPTED}")
        if body.strip().upper() != "TRUE":
            return None
        return Notice("GCP preempts this machine", GCP_NOTICE_SECONDS - MARGIN_SECONDS)

    def _request(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=_REQUEST_SECONDS)
        try:
            connection.request(method, parts.path + path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", errors="replace")
        finally:
            connection.close()


def interruption(body: str, *, now: float) -> Notice:
    """Amazon's words, `{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`; `now` is unix time.

    An unknown form means that something is going to happen: as little time as can be is assumed then.
    """
    try:
        action = json.loads(body)
        at = dt.datetime.fromisoformat(action["time"]).timestamp()
        return Notice(f"AWS will {action['action']} this machine", max(0.0, at - now - MARGIN_SECONDS))
    except (ValueError, LookupError, TypeError):
        return Notice(f"AWS announces an interruption: {body[:200]!r}", 0.0)
