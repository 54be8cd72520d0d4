"""How long to wait before trying again what has just failed: a pure function."""

import random


def backoff_seconds(failures: int, *, first_seconds: float, most_seconds: float, rng: random.Random) -> float:
    """The delay after that many failures in a row: doubling from `first_seconds` up to `most_seconds`.

    Half of it is drawn by chance, so that processes that failed together do not come back together.
    """
    if failures <= 0:
        return 0.0
    # The exponent is bounded since a float is: 2.0 ** 1024 overflows.
    delay = min(most_seconds, first_seconds * 2.0 ** min(failures - 1, 64))
    return delay / 2 + rng.uniform(0.0, delay / 2)
