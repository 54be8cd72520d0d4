"""What an external checker is asked and how it answers: one line of JSON in, an exit status and a last line out."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

ACCEPTED, REJECTED, FAILED = 0, 1, 2
"""Exit statuses. Whatever is neither of the first two is no judgement, and no proof is called proved on it."""

_MOST_SHOWN = 300  # characters of a reason


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """`statement` and `proof` are whole texts; `theorem` is empty where no statement was given."""

    statement: str
    proof: str
    theorem: str
    allowed_axioms: tuple[str, ...]


class RejectedError(Exception):
    """The checker does not accept the proof; the text says why."""


class FailedError(Exception):
    """The checker could not be run to its end; the text says why."""


class Done(NamedTuple):
    """A program that has ended. Its output is whatever the candidate's code printed, too: no verdict rests on it."""

    status: int
    output: str

    @property
    def last_line(self) -> str:
        lines = self.output.strip().splitlines()
        return lines[-1][:_MOST_SHOWN] if lines else f"it ended with status {self.status} and no word"


def run(command: Sequence[str], *, directory: Path, environment: Mapping[str, str], log: Path) -> Done:
    """Run a program to its end, its output in the file `log`; who started us limits its time and memory.

    Raises:
        FailedError: it cannot be started, or was ended by a signal.
    """
    try:
        with log.open("wb") as output:
            status = subprocess.run(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        with log.open("rb") as written:
            text = _tail(written).decode(errors="replace")
    except OSError as error:
        raise FailedError(f"{command[0]} cannot be run: {error}") from error
    if status < 0:
        raise FailedError(f"{command[0]} was ended by signal {-status}")
    return Done(status, text)


def _tail(file: BinaryIO, size: int = 64 * 1024) -> bytes:
    end = file.seek(0, 2)
    file.seek(max(0, end - size))
    return file.read()


def answer(check: Callable[[Question], None]) -> int:
    """Read the question, have it checked, print the reason if there is one, and return the exit status."""
    try:
        check(msgspec.json.decode(sys.stdin.buffer.readline(), type=Question))
    except RejectedError as error:
        sys.stdout.write(f"{_one_line(error)}\n")
        return REJECTED
    except Exception as error:  # noqa: BLE001 - let through it would end us with 1, and pass for a rejection
        sys.stderr.write(f"{_one_line(error)}\n")
        return FAILED
    return ACCEPTED


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_MOST_SHOWN]
