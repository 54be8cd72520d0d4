"""Requests to a REPL, in Lean's terms rather than a protocol's. One that would kill the process cannot be built.

The community REPL exits on a pickle that it cannot open and on a folder that it cannot write to, so paths are checked
here; texts are checked since a NUL or a lone surrogate ends no well. Numbers of environments and proof states are those
that the same process gave out.
"""

import os
from pathlib import Path
from typing import Generic, Literal, TypeVar

import msgspec

from producer.arguments import check_text
from producer.errors import InvalidInputError
from workers.protocol.responses import (
    AuditResponse,
    CommandResponse,
    ConstantsResponse,
    Response,
    TacticResponse,
)

R = TypeVar("R", bound=Response)


class Request(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """A question to which a process answers with `R`, or with an `ErrorResponse` that leaves it as it was."""


class Command(Request[CommandResponse], frozen=True, kw_only=True):
    """Elaborate `code` in the environment `environment`; without one the code may begin with imports.

    Raises:
        InvalidInputError: `code` is not a text that Lean could read.
    """

    code: str
    environment: int | None = None
    all_tactics: bool = False
    root_goals: bool = False
    infotree: Literal["full", "tactics", "original", "substantive"] | None = None

    def __post_init__(self) -> None:
        check_text(self.code)
        _check_number(self.environment)


class Tactic(Request[TacticResponse], frozen=True, kw_only=True):
    """Run a tactic in a proof state.

    Raises:
        InvalidInputError: `tactic` is not a text that Lean could read.
    """

    tactic: str
    proof_state: int

    def __post_init__(self) -> None:
        check_text(self.tactic)
        _check_number(self.proof_state)


class PickleEnvironment(Request[CommandResponse], frozen=True, kw_only=True):
    """Write an environment to a new file. Entries of environment extensions made in the session are lost.

    Raises:
        InvalidInputError: `path` is not absolute, or its folder cannot be written to.
    """

    environment: int
    path: Path

    def __post_init__(self) -> None:
        _check_number(self.environment)
        _check_writable(self.path)


class PickleProofState(Request[TacticResponse], frozen=True, kw_only=True):
    """Write a proof state to a new file. Some states kill the process (one with a closure inside): have a spare ready.

    Raises:
        InvalidInputError: `path` is not absolute, or its folder cannot be written to.
    """

    proof_state: int
    path: Path

    def __post_init__(self) -> None:
        _check_number(self.proof_state)
        _check_writable(self.path)


class UnpickleEnvironment(Request[CommandResponse], frozen=True, kw_only=True):
    """Read an environment from a file; this imports all of its modules again. The file is executed, in effect.

    Raises:
        InvalidInputError: `path` is not absolute, or no file that can be read.
    """

    path: Path

    def __post_init__(self) -> None:
        _check_readable(self.path)


class UnpickleProofState(Request[TacticResponse], frozen=True, kw_only=True):
    """Read a proof state from a file, onto `environment` where one is given. The file is executed, in effect.

    No REPL compares the environment's imports with those that the state was pickled with: the caller must.

    Raises:
        InvalidInputError: `path` is not absolute, or no file that can be read.
    """

    path: Path
    environment: int | None = None

    def __post_init__(self) -> None:
        _check_readable(self.path)
        _check_number(self.environment)


class ExportConstants(Request[ConstantsResponse], frozen=True, kw_only=True):
    """The constants of that name, and what they rest on, as data: as far as `environment` has more than `header`.

    With `as_goals` without their proofs; with `all_theorems` the other theorems as well, generated ones among them.
    """

    environment: int
    header: int
    names: tuple[str, ...]
    as_goals: bool = False
    all_theorems: bool = False

    def __post_init__(self) -> None:
        _check_number(self.environment)
        _check_number(self.header)
        for name in self.names:
            check_text(name)


class AuditConstants(Request[AuditResponse], frozen=True, kw_only=True):
    """What the kernel finds of a candidate's constants in `environment`, which has imported a header and no more.

    `theorems` are the names to look at, each with its place among the candidate's. Constants are given as they were
    exported; no more is known of them than that they are JSON.
    """

    environment: int
    theorems: tuple[tuple[str, int | None], ...]
    candidate: msgspec.Raw
    statement: msgspec.Raw | None = None

    def __post_init__(self) -> None:
        _check_number(self.environment)


def _check_number(number: int | None) -> None:
    if number is not None and number < 0:
        raise InvalidInputError(f"{number} is no number that a REPL gives out: they start at 0")


def _check_absolute(path: Path) -> None:
    # A REPL has a working directory of its own, so that a relative path would mean another file there.
    if not path.is_absolute():
        raise InvalidInputError(f"{path} must be an absolute path")


def _check_writable(path: Path) -> None:
    _check_absolute(path)
    if not os.access(path.parent, os.W_OK | os.X_OK) or path.is_dir():
        raise InvalidInputError(f"cannot write a pickle to {path}")
    if path.exists():
        # Pickles are memory-mapped by whoever has read them: truncating one takes its readers down.
        raise InvalidInputError(f"{path} exists already: a pickle is written to a new path, never over an old one")


def _check_readable(path: Path) -> None:
    _check_absolute(path)
    if not path.is_file() or not os.access(path, os.R_OK) or path.stat().st_size == 0:
        raise InvalidInputError(f"{path} is no pickle that can be read")
