"""How deliveries are leased and how a worker ends."""

import msgspec

from producer.errors import SettingsError


class RedeliverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Table `[redelivery]`, variables `LEANFLEET_REDELIVERY_…`. All workers of a broker should have the same lease."""

    lease_seconds: float = 15.0  # a worker that is silent for this long has lost what it held
    max_lease_seconds: float = 3600.0  # one delivery's lease is renewed for this long at most: a hung worker's ends too
    grace_seconds: float = (
        25.0  # from SIGTERM until what has not finished is handed back; spot notices are 30 s or 2 min
    )
    max_repl_deaths: int = 3  # an operation whose REPL died as often, on other workers if there are any, is poison
    # One that was lost with its worker as often is poison too. More than REPL deaths: most that a worker takes with it
    # when it vanishes are innocent.
    max_worker_losses: int = 6

    def __post_init__(self) -> None:
        if self.lease_seconds < 1:
            raise SettingsError(f"lease_seconds must be at least 1, not {self.lease_seconds:g}")
        if self.max_lease_seconds < self.lease_seconds:
            raise SettingsError("max_lease_seconds must not be shorter than lease_seconds")
        if self.grace_seconds < 0:
            raise SettingsError("grace_seconds cannot be negative")
        if self.max_repl_deaths < 1 or self.max_worker_losses < 1:
            raise SettingsError("max_repl_deaths and max_worker_losses must be at least 1")
