"""Statements: elaborated once, in a process that sees nothing else than statements, and remembered.

In training the same statement comes with many proofs, so that most of them find it here.
"""

import hashlib
from typing import NamedTuple

import msgspec

from producer.header import split_header
from producer.operation import DEFAULT_ALLOWED_AXIOMS, VerifyProof, first_line
from producer.theorems import find_theorems
from workers.lru import LRU
from workers.outcomes import soft_error
from workers.pool import WarmREPL
from workers.protocol.requests import Command, ExportConstants
from workers.protocol.responses import CommandResponse, ErrorResponse
from workers.states.restorer import Limits
from workers.verification.errors import StatementError
from workers.verification.pools import CleanPools

_REMEMBERED = 4096
_REMEMBERED_BYTES = 256 * 1024  # a larger one is elaborated again


class Goal(NamedTuple):
    """What is to be proved: the theorem's name and, where constants can be exported, all that its type rests on."""

    theorem: str
    constants: msgspec.Raw | None


class _Exported(msgspec.Struct):
    constants: list[list[object]]


def wanted_theorem(operation: VerifyProof) -> str:
    """The name of the theorem that is meant.

    Raises:
        StatementError: the statement declares none.
    """
    names = find_theorems(operation.statement)
    if not operation.theorem and not names:
        raise StatementError("the statement declares no theorem by name: end it in one, with `sorry` for its proof")
    return operation.theorem or names[-1]


async def elaborated(
    repl: WarmREPL, operation: VerifyProof, limits: Limits, *, environment: int | None
) -> CommandResponse:
    """The statement's text, run in an environment that has its header and no more.

    Raises:
        StatementError: it has errors.
        ReplError: its process broke a limit or ended.
    """
    command = Command(code=split_header(operation.statement).body, environment=environment)
    response = await repl.send(command, timeout_seconds=limits.remaining_seconds(), memory_bytes=limits.memory_bytes)
    if isinstance(response, ErrorResponse):
        raise StatementError(f"the statement cannot be elaborated: {soft_error(response)}")
    if response.errors:
        raise StatementError(f"the statement cannot be elaborated: {first_line(response.errors[0].data, 200)}")
    return response


class Goals:
    """The goals of statements, remembered."""

    def __init__(self, pools: CleanPools) -> None:
        self._pools = pools
        self._known: LRU[bytes, Goal] = LRU(_REMEMBERED)

    async def goal(self, operation: VerifyProof, header: str) -> Goal:
        """Raises StatementError, and what entering a lease and `elaborated` raise."""
        asked = msgspec.json.encode((header, operation.statement, operation.theorem, operation.allowed_axioms))
        key = hashlib.sha256(asked).digest()
        goal = self._known.get(key)
        if goal is None:
            goal = await self._goal(operation, header)
            if goal.constants is not None and len(bytes(goal.constants)) <= _REMEMBERED_BYTES:
                self._known[key] = goal
        return goal

    async def _goal(self, operation: VerifyProof, header: str) -> Goal:
        theorem = wanted_theorem(operation)
        async with await self._pools.lease("statements", header) as repl:
            limits = Limits(timeout_seconds=operation.timeout_seconds, memory_bytes=operation.memory_bytes)
            after = await elaborated(repl, operation, limits, environment=repl.environment)
            # Axioms of the statement's own that a proof may use, if it declares them; the goal comes last.
            axioms = tuple(axiom for axiom in operation.allowed_axioms if axiom not in DEFAULT_ALLOWED_AXIOMS)
            request = ExportConstants(
                environment=after.environment, header=repl.environment or 0, names=(*axioms, theorem), as_goals=True
            )
            exported = await repl.send(
                request, timeout_seconds=limits.remaining_seconds(), memory_bytes=limits.memory_bytes
            )
        if isinstance(exported, ErrorResponse):
            raise StatementError(f"the statement cannot be exported: {soft_error(exported)}")
        constants = msgspec.json.decode(exported.constants, type=_Exported).constants
        if not exported.found or exported.found[-1] is None:
            raise StatementError(f"the statement does not declare {theorem}")
        if not constants or constants[-1][0] != "goal":
            raise StatementError(f"{theorem} is no theorem in the statement")
        # Copied: it must not hold on to the reply that it was a part of.
        return Goal(theorem, exported.constants.copy())
