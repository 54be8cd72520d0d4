"""What the entry point knows and this package must not import: handed to commands as the context's object."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from producer.settings import Settings

# Starts broker, store and a worker on this computer, and stops them at the end of the `with`. Takes the settings that
# would hold otherwise and gives those that lead to it.
LocalFleet = Callable[[Settings], AbstractContextManager[Settings]]


@dataclass(frozen=True, kw_only=True)
class Joined:
    """`local_fleet` raises a LeanFleetError that says what to install where this computer cannot run one."""

    local_fleet: LocalFleet
