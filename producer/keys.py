"""Names on the broker beside the queues: one place, since clients write what workers read and the other way round."""

# Replies to a producer that went away are forgotten after this time. Workers set it at each push.
REPLY_TTL_SECONDS = 3600

# A sorted set of revoked call ids, scored by the unix time at which the entry may be forgotten. One set, and not a key
# for each: a worker asks for one id (ZSCORE) or for all that are new (ZRANGEBYSCORE), as suits it.
REVOKED = "leanfleet:revoked"
REVOKED_TTL_SECONDS = 3600


def reply_key(producer_id: str) -> str:
    """The list on which one producer's replies arrive."""
    return f"leanfleet:reply:{producer_id}"
