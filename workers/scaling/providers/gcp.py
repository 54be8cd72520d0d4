"""Google Compute Engine: each offer is a regional managed instance group, spoken to over REST.

A group creates machines in whichever of its zones has some. What it cannot create it would try again for ever; here it
is deleted from the group, and the next offer is asked. The extra `gcp` brings the credentials' library and nothing
else: five calls do not need a generated client.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from producer.errors import SettingsError
from workers.scaling.providers.provider import Instance, ProviderError, ThrottledError
from workers.scaling.snapshot import Offer

if TYPE_CHECKING:
    import requests


COMPUTE = "https://compute.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/compute"
TIMEOUT_SECONDS = 20.0
# https://cloud.google.com/compute/docs/reference/rest/v1/regionInstanceGroupManagers/listManagedInstances
ENDING = frozenset({"DELETING", "ABANDONING", "STOPPING"})
# A machine that was preempted is made anew by its group, as soon as there is one to be had.
CREATING = frozenset({"CREATING", "CREATING_WITHOUT_RETRIES", "RECREATING"})
GONE = frozenset({"TERMINATED", "STOPPING", "STOPPED", "SUSPENDED"})
# https://cloud.google.com/compute/docs/reference/rest/v1/regionInstanceGroupManagers/deleteInstances
DELETED_AT_ONCE = 1000
TOO_MANY_REQUESTS = 429
FORBIDDEN = 403
SERVER_ERROR = 500


class GcpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`groups` maps offers to managed instance groups; one that is not named is the group of the offer's own name."""

    project: str = ""
    region: str = ""
    endpoint_url: str = COMPUTE
    groups: dict[str, str] = {}


class _Managed(msgspec.Struct, frozen=True):
    """An instance as its group sees it; the names are those of the API."""

    name: str
    url: str
    action: str
    status: str
    failure: str  # why it could not be created; empty while it may yet be, and when it was

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "_Managed":
        url = item.get("instance", "")
        errors = item.get("lastAttempt", {}).get("errors", {}).get("errors", [])
        return cls(
            name=item.get("name") or url.rpartition("/")[2],
            url=url,
            action=item.get("currentAction", "NONE"),
            status=item.get("instanceStatus", ""),
            failure=_failure(errors[0]) if errors and item.get("currentAction") in CREATING else "",
        )

    @property
    def alive(self) -> bool:
        return self.action not in ENDING and self.status not in GONE and not self.failure


class GcpProvider:
    """A machine's id is its instance's name, which is unique in the project's region. Blocking calls run in threads."""

    def __init__(
        self, settings: GcpSettings, offers: Sequence[Offer], *, session: "requests.Session | None" = None
    ) -> None:
        """`session` instead of one with the application default credentials.

        Raises:
            SettingsError: project or region are not set, the extra `gcp` is missing, or there are no credentials.
        """
        if not settings.project or not settings.region:
            raise SettingsError("set project and region in [autoscale.gcp]")
        self._offers = tuple(offers)
        self._groups = {offer.name: settings.groups.get(offer.name, offer.name) for offer in offers}
        if len(set(self._groups.values())) < len(self._groups):
            raise SettingsError("two offers cannot share a managed instance group")
        self._base = (
            f"{settings.endpoint_url}/compute/v1/projects/{settings.project}/regions/{settings.region}"
            "/instanceGroupManagers"
        )
        self._session = session if session is not None else _authorized_session()

    @property
    def offers(self) -> Sequence[Offer]:
        return self._offers

    async def instances(self) -> Sequence[Instance]:
        return await asyncio.to_thread(self._instances)

    async def launch(self, offer: str, count: int) -> None:
        await asyncio.to_thread(self._launch, offer, count)

    async def refused(self) -> Mapping[str, str]:
        return await asyncio.to_thread(self._refused)

    async def protect(self, ids: Sequence[str]) -> None:
        """Nothing: a group shrinks only when it is resized, and then here by name."""

    async def terminate(self, ids: Sequence[str]) -> None:
        await asyncio.to_thread(self._terminate, frozenset(ids))

    async def stand_by(self) -> None:
        """Nothing: whoever leads sees the same machines."""

    async def close(self) -> None:
        await asyncio.to_thread(self._session.close)

    def _instances(self) -> list[Instance]:
        return [
            Instance(id=each.name, offer=offer) for offer in self._groups for each in self._managed(offer) if each.alive
        ]

    def _launch(self, offer: str, count: int) -> None:
        managed = self._managed(offer)
        # From what there is: an older wish that was not fulfilled is void. Never less than the group takes for its own,
        # those included that it will make anew: it would choose by itself which of its machines to delete.
        size = max(sum(each.alive for each in managed) + count, sum(each.action not in ENDING for each in managed))
        self._post(f"{self._groups[offer]}/resize", params={"size": str(size)})

    def _refused(self) -> dict[str, str]:
        refused = {}
        for offer in self._groups:
            if failed := [each for each in self._managed(offer) if each.failure]:
                self._delete(offer, failed)
                refused[offer] = failed[0].failure
        return refused

    def _terminate(self, ids: frozenset[str]) -> None:
        for offer in self._groups:
            if ending := [each for each in self._managed(offer) if each.name in ids and each.action not in ENDING]:
                self._delete(offer, ending)

    def _delete(self, offer: str, instances: Sequence[_Managed]) -> None:
        """The group's size goes down with it, so that no other is created in their place."""
        for first in range(0, len(instances), DELETED_AT_ONCE):
            urls = [each.url for each in instances[first : first + DELETED_AT_ONCE]]
            self._post(f"{self._groups[offer]}/deleteInstances", body={"instances": urls})

    def _managed(self, offer: str) -> list[_Managed]:
        found: list[_Managed] = []
        token = ""
        while True:
            params = {"maxResults": "500"} | ({"pageToken": token} if token else {})
            page = self._post(f"{self._groups[offer]}/listManagedInstances", params=params)
            found += [_Managed.of(item) for item in page.get("managedInstances", [])]
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def _post(
        self, path: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            response = self._session.post(f"{self._base}/{path}", params=params, json=body, timeout=TIMEOUT_SECONDS)
            answer = response.json() if response.ok and response.content else {}
        except Exception as error:
            # requests and google-auth each raise a tree of their own, and the latter is there only with its extra.
            raise ProviderError(f"Compute Engine cannot be asked: {error}") from error
        if response.ok:
            return answer if isinstance(answer, dict) else {}
        reason = _reason(response)
        text = f"Compute Engine refused {path} ({response.status_code}): {reason}"
        patience = response.status_code == TOO_MANY_REQUESTS or response.status_code >= SERVER_ERROR
        # Google says rate limits with 403 too: https://cloud.google.com/compute/docs/api/best-practices#rate-limiting
        if patience or (response.status_code == FORBIDDEN and "rateLimitExceeded" in response.text):
            raise ThrottledError(text)
        raise ProviderError(text)


def _failure(error: Mapping[str, Any]) -> str:
    """One of the API's errors, `{"code": …, "message": …}`; the message may be missing."""
    return ": ".join(str(error[name]) for name in ("code", "message") if error.get(name)) or "it was not created"


def _reason(response: "requests.Response") -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return response.text[:200]


def _authorized_session() -> "requests.Session":
    try:
        import google.auth  # noqa: PLC0415 - an optional extra
        import google.auth.exceptions  # noqa: PLC0415
        import google.auth.transport.requests  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError("the gcp provider needs google-auth: pip install 'leanfleet[gcp]'") from error
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise SettingsError(f"no Google credentials are to be had here: {error}") from error
    open_session: Any = google.auth.transport.requests.AuthorizedSession  # untyped
    session: requests.Session = open_session(credentials)
    return session
