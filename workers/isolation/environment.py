"""The environment of a REPL: what is named here and nothing else.

A worker's environment holds the broker's password and the store's keys; Lean code reads any variable it likes.
Therefore an allow-list: what nobody thought of is not passed on. Names and not prefixes: LAKE_CACHE_KEY is a secret.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from producer.errors import SettingsError

# What a program needs to find its libraries, its language and its clock, and what Lean, Lake and elan are steered by.
PASSED_ON = frozenset(
    {
        "DYLD_LIBRARY_PATH",
        "ELAN_HOME",
        "ELAN_TOOLCHAIN",
        "LAKE",
        "LAKE_HOME",
        "LAKE_NO_CACHE",
        "LAKE_OVERRIDE_LEAN",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_CTYPE",
        "LC_MESSAGES",
        "LD_LIBRARY_PATH",
        "LEAN",
        "LEAN_CC",
        "LEAN_GITHASH",
        "LEAN_NUM_THREADS",
        "LEAN_PATH",
        "LEAN_SRC_PATH",
        "LEAN_STACK_SIZE_KB",
        "LEAN_SYSROOT",
        "MALLOC_ARENA_MAX",
        "PATH",
        "TZ",
    }
)

# A process with an io_uring cannot be frozen, and an io_uring makes system calls that no filter sees.
FIXED = {"UV_USE_IO_URING": "0"}


def passed_on(parent: Mapping[str, str], names: Collection[str] = ()) -> dict[str, str]:
    """What a REPL sees of its worker's environment; `names` are those that the operator allows besides.

    Raises:
        SettingsError: one of `names` is a variable of leanfleet's own, which may hold a password.
    """
    if own := sorted(name for name in names if name.upper().startswith("LEANFLEET_")):
        raise SettingsError(f"{own[0]} may not be passed on to a REPL: it may hold the fleet's credentials")
    allowed = PASSED_ON.union(names)
    kept = {name: value for name, value in parent.items() if name in allowed}
    # `lake` and `lean` are elan's shims on most machines, and look for their toolchains beneath the home directory.
    if "HOME" in parent and (elan := Path(parent["HOME"], ".elan")).is_dir():
        kept.setdefault("ELAN_HOME", str(elan))
    return {**kept, **FIXED}


def at_home(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The same environment with the REPL's private folder as its home and for its temporary files."""
    return {**environment, "HOME": str(folder), "TMPDIR": str(folder)}
