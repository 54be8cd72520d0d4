"""Replies on the wire. They name no states: who asked knows the recipe, so it is put back on arrival.

A tactic result for each of eight tactics on a hundred-step proof would otherwise carry the hundred steps eight times.
"""

from typing import assert_never

import msgspec

from producer.errors import WireError
from producer.header import split_header
from producer.operation import AnyOperation, ExportState, ImportState, RunCode, RunTactics, VerifyProof
from producer.outcome import Outcome
from producer.result import (
    RESULTS,
    AnyResult,
    ExportStateResult,
    ImportStateResult,
    RunCodeResult,
    RunTacticsResult,
    Sorry,
    TacticResult,
    VerifyProofResult,
)
from producer.state import CommandStep, SorryStep, StateRef, TacticStep
from producer.unreadable import UNREADABLE

VERSION = 1


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A result on its way to the one who asked, under the call's id."""

    call_id: str
    result: AnyResult
    v: int = VERSION


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Reply)


def encode_reply(reply: Reply) -> bytes:
    return _encoder.encode(reply)


def decode_reply(data: bytes) -> Reply:
    """Raise WireError for bytes that are no reply of a version known here."""
    try:
        reply = _decoder.decode(data)
    except UNREADABLE as error:
        raise WireError(f"not a reply: {error}") from error
    if reply.v != VERSION:
        raise WireError(f"a reply of version {reply.v}, and this client reads {VERSION}: upgrade the producers first")
    return reply


def base_state(operation: RunCode, project: str) -> tuple[StateRef, str]:
    """The environment that `operation` starts in, and the commands that are run in it."""
    if operation.state is not None:
        return operation.state.in_project(project), operation.code
    header, body = split_header(operation.code)
    return StateRef(header=header, project=project), body


def _sorries(sorries: tuple[Sorry, ...], after: StateRef) -> tuple[Sorry, ...]:
    return tuple(
        msgspec.structs.replace(sorry, state=after.then(SorryStep(index))) for index, sorry in enumerate(sorries)
    )


def _tactic(result: TacticResult, tactic: str, before: StateRef) -> TacticResult:
    if not result.ok:
        return result
    after = before.then(TacticStep(tactic))
    return msgspec.structs.replace(result, state=after, sorries=_sorries(result.sorries, after))


def complete(operation: AnyOperation, result: AnyResult) -> AnyResult:
    """`result` with the states filled in that follow from `operation`.

    Raises:
        WireError: the result is of another kind than the operation.
    """
    match operation, result:
        case RunCode(), RunCodeResult():
            # Errors that speak through messages leave an environment; one that needs a reason left none (a bad import).
            if result.outcome not in (Outcome.OK, Outcome.LEAN_ERROR) or result.reason:
                return result
            base, body = base_state(operation, result.project)
            after = base.then(CommandStep(body))
            return msgspec.structs.replace(result, state=after, sorries=_sorries(result.sorries, after))
        case RunTactics(), RunTacticsResult():
            before = operation.state.in_project(result.project)
            tactics = tuple(map(_tactic, result.tactics, operation.tactics, [before] * len(result.tactics)))
            return msgspec.structs.replace(result, tactics=tactics)
        case ExportState(), ExportStateResult():
            return result
        case ImportState(), ImportStateResult():
            return msgspec.structs.replace(result, state=operation.state.in_project(result.project))
        case VerifyProof(), VerifyProofResult():
            return result
        case ((RunCode() | RunTactics() | ExportState() | ImportState() | VerifyProof()), _):
            raise WireError(f"a {type(result).__name__} cannot answer a {operation.kind}")
        case _:
            assert_never(operation)


def failure(operation: AnyOperation, outcome: Outcome, reason: str) -> AnyResult:
    """A result of the right kind that says only how and why it failed."""
    return RESULTS[operation.kind](outcome=outcome, reason=reason)
