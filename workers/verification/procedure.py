"""How one proof is verified: what is asked, in which process, and what the judges get to see."""

import time
from typing import Any

import msgspec

from producer.errors import HeaderError, LeanFleetError
from producer.header import split_header
from producer.judgement import Verdict
from producer.operation import VerifyProof
from producer.outcome import Outcome
from producer.result import RunCodeResult, VerifyProofResult
from producer.state import StateRef
from producer.verdict import Audit, judge_proof, refusals
from workers.outcomes import code_result
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse
from workers.states.bench import Bench
from workers.states.restorer import number_of
from workers.states.work import Work
from workers.verification.errors import StatementError
from workers.verification.verifier import Verifier


async def verify_proof(operation: VerifyProof, verifier: Verifier, bench: Bench) -> VerifyProofResult:
    """The statement first, in a process of its own; then the proof's text, in one that may do with itself what it
    likes; then its constants, in a third.

    Raises:
        InvalidInputError: proofs are not checked as strongly here as was asked.
        PoolClosedError, ReplStartError, LostStateError: as an executor handles them.
    """
    strength = verifier.strength_for(operation)
    if refused := refusals(operation) or verifier.refusals(operation):
        return VerifyProofResult(outcome=Outcome.OK, verdict=Verdict.NOT_PROVED, reasons=refused, strength=strength)
    header, body = split_header(operation.proof)
    header = header or split_header(operation.statement).header
    examiner: Any = verifier.examiner  # what it gives is handed back to it
    work = await bench.open(StateRef(header=header, project=bench.project), operation)
    audit: Audit | None = None
    try:
        goal = await examiner.goal(operation, header)
        async with bench.restored(work) as (repl, handle):
            started = time.monotonic()
            try:
                scope = await examiner.opened(repl, number_of(handle), work.limits)
                response = await repl.send(
                    Command(code=body, environment=scope.environment),
                    timeout_seconds=work.limits.remaining_seconds(),
                    memory_bytes=work.memory_bytes,
                )
                text = code_result(response)
                case = None
                if isinstance(response, CommandResponse) and not response.errors:
                    case = await examiner.collect(repl, response, operation, goal, scope=scope, limits=work.limits)
            finally:
                work.lean_seconds += time.monotonic() - started
        if case is not None:
            audit = await examiner.audit(case, operation, goal, header)
        judgement = judge_proof(operation, text, audit)
        if verifier.external is not None and audit is not None and judgement.verdict is Verdict.PROVED:
            theorem = audit.theorems[0].name if operation.statement else ""
            rejection = await verifier.external.rejection(operation, theorem)
            judgement = judge_proof(operation, text, msgspec.structs.replace(audit, external=rejection))
    except HeaderError as error:
        if operation.statement:  # whose header it is, or should be
            return _unverified(work, StatementError(f"the statement's imports cannot be had: {error.message}"))
        text = RunCodeResult(outcome=Outcome.LEAN_ERROR, reason=error.message)
        judgement = judge_proof(operation, text, None)
    except LeanFleetError as error:
        return _unverified(work, error)
    return VerifyProofResult(
        outcome=judgement.outcome,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        strength=strength,
        theorems=() if audit is None else audit.theorems,
        messages=text.messages,
        **work.account(),
    )


def _unverified(work: Work, error: LeanFleetError) -> VerifyProofResult:
    failed = work.failed(VerifyProofResult, error)
    return msgspec.structs.replace(failed, reasons=failed.judgement.reasons)
