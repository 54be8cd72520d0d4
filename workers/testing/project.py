"""The scripted REPL as a project, so that a pool runs it in place of Lean."""

import sys
from pathlib import Path

from workers.project import LeanProject, fingerprint, line_buffered

_PANTOGRAPH = Path(__file__).with_name("pantograph.py")
_SCRIPT = Path(__file__).with_name("scripted.py")


def scripted_project(*options: str, is_line_buffered: bool = False) -> LeanProject:
    """A project whose REPL knows no Lean and does as it is told; `workers.testing.scripted` says what it can be."""
    command = (sys.executable, "-I", "-S", str(_SCRIPT), *options)
    return LeanProject(
        command=line_buffered(command) if is_line_buffered else command,
        directory=None,
        adapter="community",
        fingerprint=fingerprint({"scripted": options}),
    )


def scripted_pantograph() -> LeanProject:
    """A project whose REPL speaks Pantograph's protocol and knows no Lean; see `workers.testing.pantograph`."""
    return LeanProject(
        command=(sys.executable, "-I", "-S", str(_PANTOGRAPH), "Init"),
        directory=None,
        adapter="pantograph",
        fingerprint=fingerprint({"scripted": "pantograph"}),
    )
