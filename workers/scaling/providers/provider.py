"""What the controller asks of a cloud, in the few words that all of them have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from producer.errors import LeanFleetError
from workers.scaling.snapshot import Offer


class ProviderError(LeanFleetError):
    """The provider refused, or cannot be reached. The next step tries again."""


class CapacityError(ProviderError):
    """There are no machines of this offer now: other offers are asked instead."""


class ThrottledError(ProviderError):
    """The provider asks for patience."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """A machine that exists and is paid for."""

    id: str
    offer: str
    boot_is_seen: bool = True  # it is listed from when it was asked for on, so that its boot can be measured


class Provider(Protocol):
    """Every method may raise ProviderError. None of them waits for a boot or an end."""

    @property
    def offers(self) -> Sequence[Offer]:
        """What can be had; the quotas are as the provider last told."""

    async def instances(self) -> Sequence[Instance]:
        """All machines of this fleet: booting, running, draining; not those that are ending."""

    async def launch(self, offer: str, count: int) -> None:
        """Ask for machines; fewer may come. Raises CapacityError where that is known at once."""

    async def refused(self) -> Mapping[str, str]:
        """Offers whose launches have failed since the last call → why; what was not launched is asked for no more."""

    async def protect(self, ids: Sequence[str]) -> None:
        """See to it that the provider itself does not choose these when it shrinks or rebalances a group."""

    async def terminate(self, ids: Sequence[str]) -> None:
        """End machines that hold nothing. Ids that are gone already are no error."""

    async def stand_by(self) -> None:
        """Another controller leads: end what only this process could ever end. Called again and again meanwhile."""

    async def close(self) -> None:
        """Give up connections. Machines stay, unless they are part of this process."""
