"""What a client needs of a broker: the way to the fleet, and the way back."""

from collections.abc import Sequence
from typing import Protocol

from producer.envelope import TaskMessage
from producer.lane import Lane


class Publisher(Protocol):
    """How messages reach a broker. Whoever calls repeats what failed: the same message may then arrive twice."""

    async def connect(self) -> None:
        """Raise BrokerUnavailableError, after one try, when the broker does not take us."""

    async def publish(self, lane: Lane, messages: Sequence[TaskMessage]) -> None:
        """Store all messages, in order, or raise BrokerUnavailableError: then any of them may be there all the same."""

    async def backlog(self, lane: Lane) -> int:
        """How many messages wait in the lane, or in more than it; those that workers hold are not among them."""

    async def withdraw(self, lane: Lane) -> int:
        """Remove what waits in a lane that nobody else uses, and return how many messages that were.

        0 where the broker has no lanes: workers then drop each message.
        """

    async def close(self) -> None:
        """Give up the connection. Never raises for a broker that is gone."""


class ReplyChannel(Protocol):
    """How replies reach a client, which hands it a callback for each reply and one for each that is unreadable."""

    @property
    def is_away(self) -> bool:
        """Whether the server could not be reached when it was last asked."""

    async def connect(self) -> None:
        """Raise BrokerUnavailableError, after one try, when it cannot be reached."""

    async def run(self) -> None:
        """Deliver replies until cancelled, through outages too."""

    async def revoke(self, call_ids: Sequence[str]) -> None:
        """Tell workers that these calls need not be begun. Raise BrokerUnavailableError when it cannot be told."""

    async def forget(self) -> None:
        """Remove what arrived and was not read. Raise BrokerUnavailableError when that failed: it expires by itself."""

    async def close(self) -> None:
        """Give up the connections. Never raises for a broker that is gone."""
