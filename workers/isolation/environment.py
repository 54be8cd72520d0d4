"""The environment of a REPL: what is named here and nothing else.

A worker's environment holds the broker's password and the store's keys; Lean code reads any variable it likes.
Therefore an allow-list: what nobody thought of is not passed on.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from producer.errors import SettingsError

# What a program needs to find its libraries, its language and its clock, and what Lean, Lake and elan are steered by.
PASSED_ON = frozenset(
    {
        "ELAN_HOME",
        "ELAN_TOOLCHAIN",
        "LAKE_HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "LEAN",
        "LEAN_CC",
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


def repl_environment(
    parent: Mapping[str, str],
    *,
    home: Path,
    passed_on: Collection[str] = (),
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The whole environment of one REPL process.

    Args:
        parent: the worker's own environment.
        home: the REPL's private folder; its home and where its temporary files go.
        passed_on: names that the operator allows beside `PASSED_ON`.
        extra: variables set for this REPL, whatever the parent has.

    Raises:
        SettingsError: `passed_on` names one of leanfleet's own variables, which may hold a password.
    """
    if own := sorted(name for name in passed_on if name.upper().startswith("LEANFLEET_")):
        raise SettingsError(f"{own[0]} may not be passed on to a REPL: it may hold the fleet's credentials")
    allowed = PASSED_ON.union(passed_on)
    kept = {name: value for name, value in parent.items() if name in allowed}
    # `lake` and `lean` are elan's shims on most machines, and look for their toolchains beneath the home directory.
    if "HOME" in parent and (elan := Path(parent["HOME"], ".elan")).is_dir():
        kept.setdefault("ELAN_HOME", str(elan))
    private = {name: str(home) for name in ("HOME", "TMPDIR")}
    return {**kept, **FIXED, **(extra or {}), **private}
