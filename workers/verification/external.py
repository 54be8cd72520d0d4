"""A checker of the operator's, such as lean4checker or Comparator, asked last and with the last word against a proof.

It is a command that reads one line of JSON from its standard input (statement, proof, theorem, allowed_axioms) and ends
with status 0 when it accepts the proof, or 1 when it does not; the last line that it printed says why. It is run in the
project's directory, isolated as a REPL is, for it runs the candidate's text.
"""

import asyncio
import contextlib
import shlex

import msgspec

from producer.errors import ReplDiedError, ReplTimeoutError
from producer.operation import VerifyProof
from workers.child import Child
from workers.guard import Guard
from workers.launch import Isolation, Launch, no_isolation
from workers.project import LeanProject

_ACCEPTED, _REJECTED = 0, 1
_MOST_OUTPUT = 64 * 1024


class ExternalChecker:
    """Runs the command, a process for each proof."""

    def __init__(self, command: str, project: LeanProject, *, isolation: Isolation = no_isolation) -> None:
        self._launch = Launch(command=tuple(shlex.split(command)), directory=project.directory)
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
        asked = {
            "statement": operation.statement,
            "proof": operation.proof,
            "theorem": theorem,
            "allowed_axioms": operation.allowed_axioms,
        }
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
                launch = stack.enter_context(self._isolation(self._launch))
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
        if status == _ACCEPTED:
            return ""
        lines = output.decode(errors="replace").strip().splitlines()
        if status == _REJECTED:
            return lines[-1] if lines else "the external checker does not accept it"
        raise ReplDiedError(f"the external checker ended with status {status}: {child.stderr_tail or 'no word'}")
