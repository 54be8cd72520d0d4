"""Names on the broker of what belongs to the queue `queue`.

The queue itself is a list: producers push at its left end, workers take from its right end.
"""

from typing import NamedTuple


class QueueKeys(NamedTuple):
    queue: str
    leased: str  # hash: delivery tag → the message, for all that workers hold
    leases: str  # sorted set: delivery tag → when its lease was last renewed, in ms of the server's clock
    losses: str  # hash: delivery tag → how often its lease ended
    consumers: str  # sorted set: a consumer's `taken` list → when it was last heard of, in ms of the server's clock

    @classmethod
    def of(cls, queue: str) -> "QueueKeys":
        return cls(
            queue=queue,
            leased=f"leanfleet:leased:{queue}",
            leases=f"leanfleet:leases:{queue}",
            losses=f"leanfleet:losses:{queue}",
            consumers=f"leanfleet:consumers:{queue}",
        )

    def taken(self, consumer: str) -> str:
        """The list through which messages go to one consumer: it holds one for the time of a round trip, or none."""
        return f"leanfleet:taken:{self.queue}:{consumer}"
