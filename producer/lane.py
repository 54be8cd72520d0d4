"""Where an operation waits: at which level of its queue, and with whose it keeps its order.

On Redis and Valkey each producer has a lane at each level. Workers serve the interactive level before the bulk one,
though every eighth time the other way round, and the lanes of a level in turns: see `tasks.redelivery.scripts`.
"""

from typing import Literal, NamedTuple, get_args

from producer.errors import InvalidInputError

Priority = Literal["interactive", "bulk"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)


class Lane(NamedTuple):
    """`producer` is whoever has a share of the level: a client, a batch, or what several of them call themselves."""

    queue: str
    priority: Priority
    producer: str

    @property
    def ring(self) -> str:
        return ring_key(self.queue, self.priority)

    @property
    def key(self) -> str:
        """A list of entries, the oldest at its right end."""
        return f"{self.ring}:{self.producer}"


def ring_key(queue: str, priority: Priority) -> str:
    """The list of the level's producers that have something waiting, in the order in which they are served."""
    return f"leanfleet:lanes:{queue}:{priority}"


def as_priority(given: str) -> Priority:
    """Raise InvalidInputError for what is no priority."""
    for priority in PRIORITIES:
        if given == priority:
            return priority
    raise InvalidInputError(f"priority must be one of {', '.join(PRIORITIES)}, not {given!r}")
