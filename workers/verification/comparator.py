"""Comparator (https://github.com/leanprover/comparator) as an external checker.

It builds the statement and the proof as two modules, exports their constants, and has a kernel check and compare them:
what the `kernel` strength does here, for any toolchain. It is run in a lake project that its README describes: with the
libraries `Challenge` and `Solution`, and `landrun` and `lean4export` on the search path. Each proof gets a copy of that
project, in which packages are links and nothing of an earlier proof remains.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from producer.unreadable import UNREADABLE
from workers.verification.question import FailedError, Question, RejectedError, run

_CHALLENGE, _SOLUTION = "Challenge", "Solution"
_ACCEPTANCE = "Your solution is okay!"
_OWN = {f"{_CHALLENGE}.lean", f"{_SOLUTION}.lean", ".lake"}


class _Target(msgspec.Struct, rename="camel"):
    failure_category: str | None = None
    failure_message: str | None = None


class _Report(msgspec.Struct, rename="camel"):
    """What it writes to `json_output_path`, in the versions that do."""

    reports: list[_Target] = []
    kernel_accepted: bool | None = None
    kernel_failure_message: str | None = None
    nanoda_accepted: bool | None = None
    nanoda_failure_message: str | None = None


def check(question: Question, command: Sequence[str], project: Path) -> None:
    """Return when Comparator accepts the proof.

    Raises:
        RejectedError: it does not.
        FailedError: it did not come to a judgement.
    """
    if not question.statement:
        raise FailedError("Comparator compares with a statement, and none was given")
    with tempfile.TemporaryDirectory(prefix="leanfleet-comparator-") as folder:
        workspace = Path(folder, "project")
        _lay_out(project, workspace)
        (workspace / f"{_CHALLENGE}.lean").write_text(question.statement, encoding="utf-8")
        (workspace / f"{_SOLUTION}.lean").write_text(question.proof, encoding="utf-8")
        report = Path(folder, "report.json")
        config = Path(folder, "config.json")
        config.write_bytes(
            msgspec.json.encode(
                {
                    "challenge_module": _CHALLENGE,
                    "solution_module": _SOLUTION,
                    "theorem_names": [question.theorem],
                    "permitted_axioms": question.allowed_axioms,
                    "enable_nanoda": False,
                    "json_output_path": str(report),
                }
            )
        )
        done = run([*command, str(config)], directory=workspace, environment=os.environ, log=Path(folder, "output"))
        found = _read(report)
    if found is not None and (reason := _objection(found)):
        raise RejectedError(reason)
    if done.status != 0:
        # It builds and exports the statement first; what fails there is no fault of the proof.
        if f"Building {_SOLUTION}" in done.output:
            raise RejectedError(f"Comparator: {done.last_line}")
        raise FailedError(f"Comparator ended with status {done.status}: {done.last_line}")
    # Belt and braces: a program that is no Comparator may well end with 0.
    if _ACCEPTANCE not in done.output or (found is not None and found.kernel_accepted is False):
        raise FailedError(f"Comparator ended without accepting anything: {done.last_line}")


def _objection(report: _Report) -> str:
    for target in report.reports:
        if target.failure_category is not None:
            return f"{target.failure_category}: {target.failure_message or 'no word'}"
    if report.kernel_accepted is False:
        return f"kernel: {report.kernel_failure_message or 'no word'}"
    if report.nanoda_accepted is False:
        return f"nanoda: {report.nanoda_failure_message or 'no word'}"
    return ""


def _read(path: Path) -> _Report | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Report)
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        raise FailedError(f"Comparator's report is not understood: {error}") from error


def _lay_out(project: Path, workspace: Path) -> None:
    """A project like `project` whose own outputs are its own."""
    if not any((project / name).is_file() for name in ("lakefile.toml", "lakefile.lean")):
        raise FailedError(f"{project} is no lake project: prepare one as Comparator's README says")
    workspace.mkdir()
    for entry in project.iterdir():
        if entry.name not in _OWN:
            (workspace / entry.name).symlink_to(entry)
    lake = workspace / ".lake"
    lake.mkdir()
    if (packages := project / ".lake" / "packages").is_dir():
        (lake / "packages").symlink_to(packages)
    if (build := project / ".lake" / "build").is_dir():
        shutil.copytree(build, lake / "build", symlinks=True, ignore=shutil.ignore_patterns(*_built()))


def _built() -> list[str]:
    return [f"{module}.*" for module in (_CHALLENGE, _SOLUTION)]
