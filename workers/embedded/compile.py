"""The two steps of building the core that start Lean's runtime, each a process of its own: it starts once in one.

`python -m workers.embedded.compile syntax LIBRARY MODULE…` prints the syntax layer, which imports the modules;
`python -m workers.embedded.compile lean LIBRARY ARGUMENT…` is the `lean` command.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from workers.embedded.syntax import generate


def lean_command(library: Path, arguments: list[str]) -> int:
    """Runs Lean's own `main` with `arguments`; its exit code. At most once per process."""
    words = [b"lean", *(argument.encode() for argument in arguments)]
    vector = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    return int(ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL).lean_main(len(words), vector))


def main() -> int:
    step, library, *arguments = sys.argv[1:]
    if step == "lean":
        return lean_command(Path(library), arguments)
    sys.stdout.buffer.write(generate(Path(library), imports=tuple(arguments)).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
