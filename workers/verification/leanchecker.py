"""lean4checker (https://github.com/leanprover/lean4checker), in toolchains since 4.28 as `leanchecker`.

It has the kernel check the constants of a compiled module again, so that what a metaprogram put into the environment
unchecked is found. It looks at neither the statement nor the axioms, and the module is compiled by running the proof's
text once more, which may behave otherwise than it did before: against adversaries use Comparator.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from workers.verification.question import Done, FailedError, Question, RejectedError, run

_MODULE = "LeanfleetCandidate"
# How it says that the kernel objects; anything else that goes wrong is no judgement.
_OBJECTIONS = ("found a problem in", "(kernel)")


def check(question: Question, command: Sequence[str], project: Path) -> None:
    """Return when the constants of the proof's text are accepted.

    `command` ends in the checker (`lake env leanchecker`); with `lean` in its place it compiles. The compiler trusts
    nothing (`--trust=0`), so that it has its kernel check what it would otherwise take from its own elaborators.

    Raises:
        RejectedError: they are not, or the text does not compile.
        FailedError: the checker did not come to a judgement.
    """
    with tempfile.TemporaryDirectory(prefix="leanfleet-leanchecker-") as folder:
        source, compiled = Path(folder, f"{_MODULE}.lean"), Path(folder, f"{_MODULE}.olean")
        source.write_text(question.proof, encoding="utf-8")
        searched = ":".join(filter(None, (folder, os.environ.get("LEAN_PATH"))))
        environment = {**os.environ, "LEAN_PATH": searched}
        built = _run(
            [*command[:-1], "lean", "--trust=0", "-o", str(compiled), str(source)], project, folder, environment
        )
        if built.status == 1 and ": error:" in built.output:
            raise RejectedError(f"it does not compile as a module: {_first_error(built.output)}")
        if built.status != 0 or compiled.is_symlink() or not compiled.is_file():
            raise FailedError(f"the proof could not be compiled as a module: {built.last_line}")
        checked = _run([*command, _MODULE], project, folder, environment)
    if checked.status == 0:
        return
    if any(words in checked.output for words in _OBJECTIONS):
        raise RejectedError(f"leanchecker: {checked.last_line}")
    raise FailedError(f"leanchecker ended with status {checked.status}: {checked.last_line}")


def _run(command: Sequence[str], project: Path, folder: str, environment: dict[str, str]) -> Done:
    return run(command, directory=project, environment=environment, log=Path(folder, "output"))


def _first_error(output: str) -> str:
    return next(line for line in output.splitlines() if ": error:" in line).partition(": error:")[2].strip()
