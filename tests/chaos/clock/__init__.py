"""A worker's wall clock, to be set wrong while it runs; see `sitecustomize`, which the worker's Python imports."""

import struct
from pathlib import Path

VARIABLE = "LEANFLEET_TESTS_CLOCK"
FOLDER = Path(__file__).parent


class Clock:
    """One machine's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(struct.pack("d", 0.0))

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs in its environment in order to go by this clock."""
        return {VARIABLE: str(self._path), "PYTHONPATH": str(FOLDER)}

    def set_wrong(self, by_seconds: float) -> None:
        with self._path.open("r+b") as file:  # in place: it is mapped
            file.write(struct.pack("d", by_seconds))
