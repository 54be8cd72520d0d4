"""Tactics that a model wrote are not always text that Lean can read; one such must not take its siblings with it."""

from typing import NamedTuple

from msgspec.structs import replace

from producer.arguments import check_text
from producer.errors import InvalidTextError, WireError
from producer.operation import AnyOperation, RunTactics
from producer.outcome import Outcome
from producer.reply import complete
from producer.result import AnyResult, RunTacticsResult, TacticResult


class Screened(NamedTuple):
    tactics: tuple[str, ...]  # those that can be asked
    refused: dict[int, str]  # why not, for the others, by their place


def screen(operation: RunTactics) -> Screened:
    """Tell the tactics that a REPL can be asked from the others."""
    refused = {}
    for place, tactic in enumerate(operation.tactics):
        try:
            check_text(tactic)
        except InvalidTextError as error:
            refused[place] = error.message
    return Screened(tuple(each for place, each in enumerate(operation.tactics) if place not in refused), refused)


def sendable(operation: AnyOperation) -> AnyOperation:
    """The operation without what cannot be asked."""
    if not isinstance(operation, RunTactics):
        return operation
    return replace(operation, tactics=screen(operation).tactics)


def merged(operation: AnyOperation, result: AnyResult) -> AnyResult:
    """The completed result for all of `operation`, from the worker's for `sendable(operation)`.

    Raises:
        WireError: the result is of another kind, or not for as many tactics.
    """
    answer = complete(sendable(operation), result)
    if not isinstance(operation, RunTactics) or not isinstance(result, RunTacticsResult) or not result.tactics:
        return answer  # the operation failed as a whole
    tactics, refused = screen(operation)
    if len(result.tactics) != len(tactics) or not isinstance(answer, RunTacticsResult):
        raise WireError(f"{len(result.tactics)} tactics were answered out of {len(tactics)}")
    answered = iter(answer.tactics)
    everything = [
        TacticResult(outcome=Outcome.INVALID_REQUEST, reason=refused[place]) if place in refused else next(answered)
        for place in range(len(operation.tactics))
    ]
    return replace(answer, tactics=tuple(everything))


def all_refused(operation: RunTactics) -> RunTacticsResult:
    """The result where nothing can be sent: each tactic has its own outcome, as when others were tried beside it."""
    tactics = [
        TacticResult(outcome=Outcome.INVALID_REQUEST, reason=reason) for reason in screen(operation).refused.values()
    ]
    return RunTacticsResult(outcome=Outcome.OK, tactics=tuple(tactics))
