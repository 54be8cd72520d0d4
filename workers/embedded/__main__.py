"""`python -m workers.embedded`: a REPL on stdin and stdout.

    --parent PID              end at once if the parent process is not PID (any more)
    --library F --core DIR    this Lean library and this folder of compiled core modules, instead of the usual ones
    --unpickle constants      bring back no more of a pickled environment than the community REPL does

It ends with status 0 at the end of its input, with status 1 and a line on stderr if it cannot start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

_STACK_BYTES = 1 << 30
"""Reserved, not used: Lean then reports deep recursion as an error where it would overflow a usual stack."""

_IMAGE = "base-1.image"

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel knew of our wish
        os._exit(1)


def _take_streams() -> tuple[int, int]:
    """Private descriptors for the protocol; what Lean code reads is empty, and what it prints goes to stderr."""
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def _fail(reason: object) -> NoReturn:
    os.write(2, f"embedded Lean: {reason}\n".encode())
    os._exit(1)


def _serve(requests: int, replies: int, library: Path | None, core: Path | None, only_constants: bool) -> None:
    # Not at the top: a wrong command line or a dead parent should be noticed before these are read.
    from workers.embedded.errors import EmbeddedLeanError  # noqa: PLC0415
    from workers.embedded.protocol import ProtocolError, frame, parse, queries  # noqa: PLC0415
    from workers.embedded.runtime import Runtime  # noqa: PLC0415
    from workers.embedded.selftest import check  # noqa: PLC0415
    from workers.embedded.session import Session  # noqa: PLC0415

    try:
        if library is None or core is None:
            from workers.embedded.build import ensure_core  # noqa: PLC0415

            paths = ensure_core()
            library, core = paths.library, paths.lean_path
        session = Session(Runtime(library, core), core / _IMAGE, only_constants=only_constants)
        check(session)
    except (EmbeddedLeanError, OSError) as error:
        _fail(error)
    try:
        for query in queries(os.fdopen(requests, "rb")):
            try:
                reply = frame(session.handle(*parse(query)))
            except ProtocolError as error:
                reply = frame({"message": str(error)})
            except RecursionError:  # an info tree of a term thousands of levels deep
                reply = frame({"message": "The reply is nested too deeply for JSON."})
            _write(replies, reply)
    except BrokenPipeError:
        pass
    os._exit(0)  # Lean's threads and its 200 MB need no tidying


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def main(arguments: list[str]) -> None:
    parent = os.getppid()
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not options.keys() <= {"--parent", "--library", "--core", "--unpickle"}:
        usage = "[--parent PID] [--library FILE --core DIR] [--unpickle constants]"
        _fail(f"cannot make sense of {' '.join(arguments)!r}; usage: {usage}")
    if "--parent" in options:
        if not options["--parent"].isdecimal():
            _fail(f"--parent takes a process id, not {options['--parent']!r}")
        parent = int(options["--parent"])
    if options.get("--unpickle", "constants") != "constants":
        _fail(f"--unpickle takes the word constants, not {options['--unpickle']!r}")
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's handler would wait for Lean to finish
    requests, replies = _take_streams()
    library, core = (Path(options[key]) if key in options else None for key in ("--library", "--core"))
    threading.stack_size(_STACK_BYTES)
    thread = threading.Thread(target=_serve, args=(requests, replies, library, core, "--unpickle" in options))
    thread.start()
    thread.join()
    os._exit(1)  # only after an exception, which has been printed


if __name__ == "__main__":
    main(sys.argv[1:])
