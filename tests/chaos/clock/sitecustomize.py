"""Python imports this at its start where its folder is on the path: a wall clock that the test sets wrong.

`LEANFLEET_TESTS_CLOCK` names a file of eight bytes: by how many seconds `time.time` is wrong now, as a double. The
monotonic clock goes on as ever, as it does on a machine whose clock is set.
"""

import mmap
import os
import struct
import time
from pathlib import Path

if path := os.environ.get("LEANFLEET_TESTS_CLOCK"):
    _right = time.time
    _right_ns = time.time_ns
    with Path(path).open("rb") as file:
        _offset = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)

    def _wrong_by() -> float:
        seconds: float = struct.unpack("d", _offset[:8])[0]
        return seconds

    time.time = lambda: _right() + _wrong_by()
    time.time_ns = lambda: _right_ns() + int(_wrong_by() * 1e9)
