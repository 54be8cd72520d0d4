"""The strong way: constants as data, judged by the kernel of a process that elaborates nothing.

The candidate's process is asked for the theorem's constants and for nothing else; what it answers is not looked at here
but handed on. Whatever the candidate did to its process, it can deliver nothing but constants that a clean kernel
accepts as a proof of the statement, or that it does not accept.
"""

from typing import NamedTuple

import msgspec

from producer.judgement import Strength
from producer.operation import DEFAULT_ALLOWED_AXIOMS, VerifyProof
from producer.result import AuditedTheorem
from producer.theorems import find_theorems
from producer.verdict import Audit
from workers.outcomes import soft_error
from workers.pool import WarmREPL
from workers.protocol.requests import AuditConstants, ExportConstants
from workers.protocol.responses import CommandResponse, ErrorResponse
from workers.states.restorer import Limits
from workers.verification.goals import Goal, Goals
from workers.verification.pools import CleanPools


class _Case(NamedTuple):
    """What the candidate's process delivered."""

    theorems: tuple[tuple[str, int | None], ...]
    others: tuple[tuple[str, int], ...]
    constants: msgspec.Raw


class Place(NamedTuple):
    """Where a text is run: its header's own environment, as nothing of what it opens gets out."""

    environment: int | None


class KernelExaminer:
    """Examines proofs on REPLs whose protocol has constants."""

    strength = Strength.KERNEL

    def __init__(self, pools: CleanPools) -> None:
        self._pools = pools
        self._goals = Goals(pools)

    async def goal(self, operation: VerifyProof, header: str) -> Goal | None:
        """What is to be proved; None where no statement was given. Raises as `Goals.goal` does."""
        return await self._goals.goal(operation, header) if operation.statement else None

    async def opened(self, repl: WarmREPL, environment: int | None, limits: Limits) -> Place:  # noqa: ARG002
        """Where the proof's text is to be run."""
        return Place(environment)

    async def collect(
        self,
        repl: WarmREPL,
        after: CommandResponse,
        operation: VerifyProof,
        goal: Goal | None,
        *,
        scope: Place,  # noqa: ARG002 - as `CommandExaminer.collect`
        limits: Limits,
    ) -> "_Case | Audit":
        """The constants behind the proof, from the REPL that has run its text. Raises ReplError."""
        names = find_theorems(operation.proof) if goal is None else (goal.theorem,)
        if not names:
            return Audit()
        exported = await repl.send(
            ExportConstants(
                environment=after.environment, header=repl.environment or 0, names=names, all_theorems=goal is None
            ),
            timeout_seconds=limits.remaining_seconds(),
            memory_bytes=limits.memory_bytes,
        )
        if isinstance(exported, ErrorResponse):
            return Audit(rejected=f"the proof's constants cannot be exported: {soft_error(exported)}")
        if len(exported.found) != len(names):
            return Audit(rejected="the process that ran the proof does not answer what it is asked")
        return _Case(tuple(zip(names, exported.found, strict=True)), exported.others, exported.constants)

    async def audit(self, case: "_Case | Audit", operation: VerifyProof, goal: Goal | None, header: str) -> Audit:
        """What a clean process finds. Raises ReplError, and what entering a lease raises."""
        if isinstance(case, Audit):
            return case
        async with await self._pools.lease("audits", header) as repl:
            found = await repl.send(
                AuditConstants(
                    environment=repl.environment or 0,
                    theorems=(*case.theorems, *case.others),
                    candidate=case.constants,
                    statement=None if goal is None else goal.constants,
                ),
                timeout_seconds=operation.timeout_seconds,
                memory_bytes=operation.memory_bytes,
            )
        if isinstance(found, ErrorResponse):
            return Audit(rejected=f"the proof's constants cannot be read: {soft_error(found)}")
        asked, others = found.theorems[: len(case.theorems)], found.theorems[len(case.theorems) :]
        hidden = (theorem for theorem in others if _is_remarkable(theorem, operation))
        return Audit(theorems=(*asked, *hidden), rejected=found.rejected, mismatch=found.mismatch)


def _is_remarkable(theorem: AuditedTheorem, operation: VerifyProof) -> bool:
    """Whether a theorem that was not found by reading must be spoken of: most of them Lean has generated."""
    return bool(theorem.declared) or not {*operation.allowed_axioms, *DEFAULT_ALLOWED_AXIOMS} >= {*theorem.axioms}
