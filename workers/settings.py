"""What can be set on a worker machine: table `[worker]` of the settings file, variables `LEANFLEET_WORKER_*`."""

import os
import shlex
from typing import Literal

import msgspec

from producer.errors import SettingsError
from producer.settings import Secretive

# Without these nothing works; elsewhere 0 has a meaning.
_POSITIVE = frozenset(
    {
        "start_timeout_seconds",
        "recycle_uses",
        "recycle_age_seconds",
        "states_per_repl",
        "max_reply_bytes",
        "stderr_tail_bytes",
    }
)


class PoolSettings(Secretive, frozen=True, kw_only=True):
    """How many REPLs are kept, and when one is let go. The defaults suit short proofs with Mathlib."""

    size: int = 0  # REPLs that work at the same time; 0: as many as this process may use cores
    spares: int = 1  # warm REPLs beyond these, so that one that is killed is replaced at once
    header: str = ""  # what the first REPLs import, before anyone asks: "import Mathlib; import Aesop"
    start_timeout_seconds: float = 180.0  # for one start, imports included; Mathlib from a cold disk takes a minute
    start_patience_seconds: float = 30.0  # how long a caller waits while starts fail, before it gets the failure
    backoff_first_seconds: float = 0.25
    backoff_most_seconds: float = 30.0
    cancel_grace_seconds: float = 1.0  # for the reply to a cancelled request, before its REPL is killed
    close_timeout_seconds: float = 30.0  # for leases to end, when the pool is closed
    recycle_memory_bytes: int = 0  # a REPL frees nothing: above this it is replaced when idle; 0: by the machine's size
    recycle_uses: int = 20_000
    recycle_age_seconds: float = 6 * 3600.0
    states_per_repl: int = 512  # how many states of one REPL are remembered
    max_reply_bytes: int = 64 * 1024**2
    stderr_tail_bytes: int = 8 * 1024
    data_limit_bytes: int = 0  # RLIMIT_DATA for a REPL, a backstop between two looks at its memory; 0: none

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and (value < 0 or (value == 0 and field.name in _POSITIVE)):
                wanted = "must be positive" if field.name in _POSITIVE else "cannot be negative"
                raise SettingsError(f"{field.name} {wanted}: it is {value}")

    @property
    def repls(self) -> int:
        """How many REPLs work at the same time."""
        return self.size or usable_cores()


class WorkerSettings(PoolSettings, frozen=True, kw_only=True):
    """All of a worker's settings."""

    secrets = ("blob_keys",)

    repl_command: str = ""  # as in a shell, without one: "lake env /opt/repl/repl"; empty: the embedded Lean
    project_directory: str = ""  # where it is run: the lake project
    adapter: str = ""  # the protocol it speaks; empty: the community REPL's
    blob_keys: str = ""  # the fleet's secrets, separated by commas: the first signs pickles, all are accepted
    cache_directory: str = ""  # where fetched pickles are kept while the worker runs; empty: the temporary files
    cache_bytes: int = 1024**3  # how much of them
    export_after_seconds: float = 2.0  # a state that took longer to reach is exported unasked; docs/states.md says why
    max_pickle_bytes: int = 256 * 1024**2  # a larger one is not kept
    export_timeout_seconds: float = 30.0  # for pickling such a state
    # How REPLs are fenced in; docs/security.md. "auto": as far as this machine can; "required": all of it, or no start.
    isolation: Literal["auto", "required", "off"] = "auto"
    isolation_readable: str = ""  # more files and folders that REPLs may read, separated by colons
    isolation_variables: str = ""  # more environment variables that REPLs may see, separated by commas
    isolation_memory_bytes: int = 0  # the kernel's limit for one REPL, above every operation's; 0: the machine's
    isolation_processes: int = 256  # and threads, of one REPL
    isolation_file_bytes: int = 1024**3  # the largest file that one may write
    isolation_cpu_seconds: int = 24 * 3600  # of one REPL in its whole life
    verify_repls: int = 0  # for statements, and as many for audits, once proofs are verified; 0: half as many as `size`
    verify_statements: Literal["shared", "apart"] = "shared"  # "apart": each new one in a process of its own
    verify_command: str = ""  # an external checker that has the last word on proofs; docs/verdicts.md
    verify_checker: Literal["", "comparator", "leanchecker"] = ""  # which it is; empty: it speaks our own words
    verify_directory: str = ""  # where it is run; empty: project_directory
    answer_ttl_seconds: float = 0.0  # how long answers are remembered in the Redis of the replies; 0: never
    max_answers: int = 1_000_000  # of the whole fleet; the oldest are forgotten
    max_answer_bytes: int = 64 * 1024  # a longer one is not remembered
    metrics_port: int = 9109  # Prometheus; where it is taken, the next free one of 64; 0: no metrics
    metrics_address: str = "127.0.0.1"
    images: Literal["auto", "off"] = "auto"  # freeze warm REPLs and thaw them, where that works: docs/images-criu.md
    image_directory: str = ""  # where `leanfleet image` keeps them on this machine; empty: the user's cache folder
    cut_recipe_bytes: int = 3072  # an exported state that is larger than this on the wire leaves its steps in the store

    @property
    def has_external_checker(self) -> bool:
        """Whether proofs are also given to a checker of others."""
        return bool(self.verify_command or self.verify_checker or self.verify_directory)

    @property
    def verify_words(self) -> tuple[str, ...]:
        """`verify_command` as a shell would split it. Raises SettingsError."""
        return _words("verify_command", self.verify_command)

    @property
    def repl_words(self) -> tuple[str, ...]:
        """`repl_command` as a shell would split it. Raises SettingsError."""
        return _words("repl_command", self.repl_command)


def _words(name: str, command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise SettingsError(f"{name} is no command line: {error}") from error


def usable_cores() -> int:
    """The cores that this process may use, which in a container or under taskset are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
