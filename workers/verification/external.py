"""A checker of others, such as Comparator, asked last and with the last word against a proof.

It is a command that reads one line of JSON from its standard input (`workers.verification.question`) and ends with
status 0 when it accepts the proof, or 1 when it does not; the last line that it printed says why. Whatever else happens
is no judgement, and an error. It runs the candidate's text, and so in the fence that REPLs live in.
"""

import asyncio
import contextlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from producer.errors import ReplDiedError, ReplTimeoutError, SettingsError
from producer.header import split_header
from producer.operation import VerifyProof
from workers.child import Child
from workers.guard import Guard
from workers.launch import Isolation, Launch, no_isolation
from workers.project import LeanProject
from workers.settings import WorkerSettings
from workers.verification.question import ACCEPTED, REJECTED, Question

_MOST_OUTPUT = 64 * 1024


class ExternalChecker:
    """Runs the command, a process for each proof."""

    def __init__(self, settings: WorkerSettings, project: LeanProject, *, isolation: Isolation = no_isolation) -> None:
        """Raise SettingsError when the settings name no program or folder that is there."""
        directory = Path(settings.verify_directory).expanduser() if settings.verify_directory else project.directory
        self._launch = Launch(command=_command(settings, directory), directory=directory)
        self._always_says_why = bool(settings.verify_checker)
        self._isolation = isolation
        self._guard = Guard()

    def close(self) -> None:
        self._guard.close()

    async def rejection(self, operation: VerifyProof, theorem: str) -> str:
        """Why it does not accept the proof; empty when it does.

        Raises:
            ReplTimeoutError: it took longer than the operation may.
            ReplDiedError: it ended in another way than it should.
        """
        asked = Question(
            statement=operation.statement,
            proof=_with_imports(operation),
            theorem=theorem,
            allowed_axioms=operation.allowed_axioms,
        )
        limited = replace(self._launch, data_limit_bytes=operation.memory_bytes)
        output = bytearray()
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def on_exit(status: int) -> None:
            if not ended.done():
                ended.set_result(status)

        def on_output(data: bytes) -> None:
            output.extend(data)
            del output[:-_MOST_OUTPUT]

        with contextlib.ExitStack() as stack:
            try:
                launch = stack.enter_context(self._isolation(limited))
                child = Child(launch, guard=self._guard, on_output=on_output, on_exit=on_exit, stderr_bytes=4096)
            except OSError as error:
                raise ReplDiedError(f"the external checker cannot be started: {error}") from error
            try:
                child.write(msgspec.json.encode(asked) + b"\n")
                async with asyncio.timeout(operation.timeout_seconds):
                    status = await ended
            except TimeoutError:
                raise ReplTimeoutError(f"the external checker took more than {operation.timeout_seconds:g} s") from None
            finally:
                child.kill()
                await child.wait()
        if status == ACCEPTED:
            return ""
        lines = output.decode(errors="replace").strip().splitlines()
        # Python ends with the same status when our own checkers cannot be imported.
        if status == REJECTED and (lines or not self._always_says_why):
            return lines[-1] if lines else "the external checker does not accept it"
        raise ReplDiedError(f"the external checker ended with status {status}: {child.stderr_tail or 'no word'}")


def _with_imports(operation: VerifyProof) -> str:
    """The proof as a file of its own: one that names no imports has the statement's."""
    header = split_header(operation.statement).header
    if not header or split_header(operation.proof).header:
        return operation.proof
    return f"{header}\n{operation.proof}"


def _command(settings: WorkerSettings, directory: Path | None) -> tuple[str, ...]:
    """What is run, found to be there now and not when the first proof is waiting. Raises SettingsError."""
    words = settings.verify_words
    if directory is not None and not directory.is_dir():
        raise SettingsError(f"verify_directory is no folder: {directory}")
    if not words:
        raise SettingsError("verify_checker and verify_directory say how to run a verify_command, which is not set")
    program = str((directory or Path()) / words[0]) if "/" in words[0] else words[0]
    if shutil.which(program) is None:
        raise SettingsError(f"verify_command cannot be run: there is no program {words[0]}")
    if not settings.verify_checker:
        return words
    if directory is None:
        raise SettingsError(f"{settings.verify_checker} needs a lake project: set verify_directory")
    return (sys.executable, "-P", "-m", "workers.verification", settings.verify_checker, *words)
