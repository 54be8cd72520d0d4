"""Names on the broker of what belongs to the queue `queue`.

The queue itself is a list: producers push at its left end, workers take from its right end. It holds whole messages
(Celery's own API, what was handed back) and tickets, empty strings, one for each message that waits in a lane.
"""

from typing import NamedTuple

from producer.lane import ring_key


class QueueKeys(NamedTuple):
    queue: str
    leased: str  # hash: delivery tag → the message, for all that workers hold
    leases: str  # sorted set: delivery tag → when its lease was last renewed, in ms of the server's clock
    losses: str  # hash: delivery tag → how often its lease ended; 0: it was handed back
    interactive: str  # list: producers whose lane of this level is not empty, the next one at the left
    bulk: str  # the same for the other level; the lane of either is the ring's name, a colon and the producer
    turns: str  # number: choices between the levels so far
    consumers: str  # sorted set: a consumer's `taken` list → when it was last heard of, in ms of the server's clock

    @classmethod
    def of(cls, queue: str) -> "QueueKeys":
        return cls(
            queue=queue,
            leased=f"leanfleet:leased:{queue}",
            leases=f"leanfleet:leases:{queue}",
            losses=f"leanfleet:losses:{queue}",
            interactive=ring_key(queue, "interactive"),
            bulk=ring_key(queue, "bulk"),
            turns=f"leanfleet:turns:{queue}",
            consumers=f"leanfleet:consumers:{queue}",
        )

    def taken(self, consumer: str) -> str:
        """The list through which messages go to one consumer: it holds one for the time of a round trip, or none."""
        return f"leanfleet:taken:{self.queue}:{consumer}"
