"""What each kind of user may do on the Redis or Valkey that is broker and carries replies: what it needs, no more.

Rights are given by the names of keys, so these begin with the queue, or with the producer's user (`producer.keys`).
They need Redis 7 or Valkey, which tell reading from writing: a producer may fill the queue and not read it.
https://valkey.io/topics/acl/ is the language. docs/security.md says what is promised.
"""

import enum
import hashlib
import re

from producer.errors import InvalidInputError
from producer.keys import REVOKED, batch_key, producer_id, reply_key
from producer.lane import PRIORITIES, Lane, ring_key
from tasks.redelivery.dead import dead_key
from tasks.redelivery.keys import QueueKeys
from workers.scaling.observer import leases_key
from workers.telemetry import drain_key, report_key, workers_key

# What acts on keys is bounded by their names. The rest of these groups acts on the connection itself, or on all keys.
_COMMANDS = (
    "-@all",
    "+@read",
    "+@write",
    "+@connection",
    "+@transaction",
    "+@scripting",
    "-@admin",
    "-@dangerous",
    "-scan",
    "-randomkey",
    "-dbsize",
    "-function",
    "-script",
    "+script|load",
    "+script|exists",
    "+time",
    "+info",
)
# A pattern's own characters, and what separates the parts of a key, cannot be in a name that rights are given by.
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Role(enum.StrEnum):
    """What a user is for."""

    PRODUCER = "producer"  # clients: training loops, batches, `leanfleet check`
    WORKER = "worker"  # machines that serve one queue
    OPERATOR = "operator"  # the controller, Flower, `leanfleet status`, `drain` and `dead`


def rules(role: Role, user: str, queue: str, *, database: int = 0) -> list[str]:
    """The rules of a user, as ACL SETUSER takes them, without its password. `database` is the broker URL's.

    Raises:
        InvalidInputError: a name has characters that mean something in a rule.
    """
    for what, name in (("user", user), ("queue", queue)):
        if not _NAME.fullmatch(name):
            raise InvalidInputError(f"rights need a {what} of letters, digits, '_', '-' and '.', not {name!r}")
    match role:
        case Role.PRODUCER:
            return ["resetkeys", "resetchannels", *_COMMANDS, *_producer_keys(user, queue)]
        case Role.WORKER:
            return [
                "resetkeys",
                "resetchannels",
                *_COMMANDS,
                "+@pubsub",
                *_worker_keys(queue),
                *_worker_channels(database),
            ]
        case Role.OPERATOR:
            return ["resetkeys", "resetchannels", "-@all", "+@all", "-@admin", "-@dangerous", "+info", "~*", "&*"]


def line(role: Role, user: str, queue: str, password: str, *, database: int = 0) -> str:
    """A line of an ACL file: only the password's hash is in it. Raises as `rules` does."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    return f"user {user} on #{digest} {' '.join(rules(role, user, queue, database=database))}"


def _producer_keys(user: str, queue: str) -> list[str]:
    # A producer adds to the queue and the rings, and reads what is its own.
    shared = (queue, *(ring_key(queue, priority) for priority in PRIORITIES))
    lanes = [f"~{Lane(queue, priority, producer_id(user, '*')).key}" for priority in PRIORITIES]
    return [
        *lanes,
        f"~{reply_key(producer_id(user, '*'))}",
        f"~{batch_key('*', 0, user).removesuffix(':0')}",
        f"%W~{REVOKED}",
        # To what is everyone's it adds, and of that it can remove what it knows: nobody else's operations.
        "(+lpush +rpush +lrem",
        *(f"%W~{key}" for key in shared[:-1]),
        f"%W~{shared[-1]})",
        # A script must have every right to the keys that it names; what it does to them is judged by the rights above.
        "(+eval +evalsha",
        *(f"~{key}" for key in shared),
        *lanes[:-1],
        f"{lanes[-1]})",
    ]


def _worker_keys(queue: str) -> list[str]:
    keys = QueueKeys.of(queue)
    return [
        *(f"~{key}" for key in (*keys, dead_key(queue), workers_key(queue), leases_key(queue))),
        f"~{keys.taken('*')}",
        *(f"~{ring_key(queue, priority)}:*" for priority in PRIORITIES),
        f"~{report_key(queue, '*')}",
        f"%R~{drain_key('*')}",
        f"%W~{reply_key('*')}",
        f"~{batch_key('*', 0).removesuffix(':0')}",
        f"%R~{REVOKED}",
        "~leanfleet:answer*",
        "~leanfleet:doing:*",
        "~leanfleet:deaths:*",
        "~leanfleet:returns:*",
        # Celery's own: results of calls through its API, and the answers to `celery inspect` and Flower.
        "~celery-task-meta-*",
        "~_kombu.binding*",
        "~*.celery.pidbox",
        # As for producers: one script stores a reply and ends its lease.
        f"(+eval +evalsha ~{reply_key('*')}",
        *(f"~{key}" for key in (keys.leased, keys.leases)),
        f"~{keys.losses})",
    ]


def _worker_channels(database: int) -> list[str]:
    """Celery's remote control, the events that Flower reads, results of Celery's API."""
    # A pattern is subscribed to only where it is itself what a rule allows: hence no * for the database.
    return [f"&/{database}.celery.pidbox", f"&/{database}.celeryev/*", "&celery-task-meta-*"]
