"""Names on the broker beside the queues: one place, since clients write what workers read and the other way round."""

# Replies to a producer that went away are forgotten after this time. Workers set it at each push.
REPLY_TTL_SECONDS = 3600

# A sorted set of revoked call ids, scored by the unix time at which the entry may be forgotten. One set, and not a key
# for each: a worker asks for one id (ZSCORE) or for all that are new (ZRANGEBYSCORE), as suits it.
REVOKED = "leanfleet:revoked"
REVOKED_TTL_SECONDS = 3600


def producer_id(user: str, name: str) -> str:
    """A producer's id: it begins with the broker's user, who can then be given rights to these keys alone."""
    return f"{user}:{name}" if user else name


def reply_key(producer_id: str) -> str:
    """The list on which one producer's replies arrive."""
    return f"leanfleet:reply:{producer_id}"


# Where the answers of one attempt of a batch wait until somebody moves them to the store: a hash, place → reply. While
# it has the field OPEN answers are taken; without it (cancelled, settled, lost with the server) they are dropped, and
# what was not begun is not begun.
OPEN = "open"
PUBLISHED = "published"  # the field that says how many of the attempt's messages are in the queue
# From submission on. A batch that nobody looked after for so long has lost the answers that were not moved.
BATCH_TTL_SECONDS = 30 * 24 * 3600


def batch_key(batch_id: str, attempt: int, user: str = "", token: str = "") -> str:
    """The hash in which the answers of one attempt of a batch arrive; `user` is who began the attempt.

    `token` is the attempt's. The same proofs have the same id everywhere, so without it two stores would share answers,
    and whoever knows an id could have an answer of his own counted there.
    """
    return ":".join(("leanfleet:batch", *filter(None, (user, batch_id, str(attempt), token))))
