"""What a fence is asked to let through and where it is to set its limits."""

from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Hard limits of one REPL: the kernel's, for what it does between two looks of the pool. 0 is no limit.

    They are generous: an operation's own limits, which the pool enforces, are lower. `processes` counts threads too.
    """

    memory_bytes: int = 0
    processes: int = 256
    file_bytes: int = 1 * GIB
    temporary_bytes: int = 64 * 1024**2  # of /tmp, which is memory; what is larger goes to the private folder
    folder_bytes: int = 2 * GIB
    open_files: int = 1024
    cpu_seconds: int = 24 * 3600
    nice: int = 5

    @property
    def data_bytes(self) -> int:
        """For RLIMIT_DATA, which counts what is reserved: 2 GiB more, for stacks that Lean reserves and never fills."""
        return self.memory_bytes + 2 * GIB if self.memory_bytes else 0

    @property
    def address_bytes(self) -> int:
        """For RLIMIT_AS, the only limit on shared anonymous memory: 64 GiB more, since Mathlib is mapped into it."""
        return self.memory_bytes + 64 * GIB if self.memory_bytes else 0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What one kind of REPL may reach; see `workers.isolation.paths`, which finds it out.

    `freezable` asks for a fence that leaves a process as CRIU can dump it: in its worker's own namespaces.
    """

    readable: tuple[Path, ...]
    hidden_files: tuple[Path, ...] = ()
    hidden_folders: tuple[Path, ...] = ()
    # `readable` without what is hidden, for a means that can only allow: the siblings of what is hidden, one by one.
    exposed: tuple[Path, ...] = ()
    listable: tuple[Path, ...] = ()  # folders whose names may be listed, so that what is readable in them is found
    closed_to_others: tuple[Path, ...] = ()  # readable ones that another user may not read
    beneath_closed: tuple[Path, ...] = ()  # readable ones below a folder that another user may not pass
    freezable: bool = False
    limits: Limits = Limits()
