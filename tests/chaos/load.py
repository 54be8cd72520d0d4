"""What is asked of the fleet meanwhile, and what each answer must be: those of a calm run, since nothing is random."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from producer.operation import AnyOperation, ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.result import AnyResult, ImportStateResult, RunCodeResult, RunTacticsResult
from producer.state import CommandStep, SorryStep, StateRef

Answer = tuple[str, ...]

_GOAL_CODE = "theorem t : True := sorry"
_STATE = StateRef(steps=(CommandStep(_GOAL_CODE), SorryStep(0)))


@dataclass(frozen=True)
class Question:
    operation: AnyOperation
    answer: Answer


def questions(seed: int, count: int, *, longest_seconds: float) -> Iterator[Question]:
    """Mostly short ones, some of seconds, some that fail and a few that kill their REPL."""
    chance = random.Random(seed)
    for number in range(count):
        draw = chance.random()
        if draw < 0.80:
            yield _say(str(number))
        elif draw < 0.90:
            yield _say(str(number), sleep=chance.uniform(0.02, 0.3))
        elif draw < 0.905:
            yield _say(str(number), sleep=chance.uniform(1.0, longest_seconds))
        elif draw < 0.95:
            yield Question(RunCode(code=f"error in {number}"), ("lean_error", f"in {number}"))
        elif draw < 0.98:
            tactics = ("trivial", "nonsense", "skip")
            yield Question(RunTactics(state=_STATE, tactics=tactics), ("ok", "ok", "lean_error", "ok"))
        elif draw < 0.998:
            yield Question(ImportState(state=_STATE), ("ok", "1 goals"))
        else:
            yield Question(RunCode(code=f"%say {number}\n%signal 9"), ("repl_died",))


def _say(text: str, *, sleep: float = 0.0) -> Question:
    code = f"%say {text}" if not sleep else f"%sleep {sleep:.3f}\n%say {text}"
    return Question(RunCode(code=code), ("ok", text))


def answer_of(result: AnyResult) -> Answer:
    """What of a result must not depend on faults: everything but times, workers and tries."""
    if result.outcome not in (Outcome.OK, Outcome.LEAN_ERROR):
        return (str(result.outcome),)
    match result:
        case RunCodeResult():
            return (str(result.outcome), *(message.data for message in result.messages))
        case RunTacticsResult():
            return (str(result.outcome), *(str(tactic.outcome) for tactic in result.tactics))
        case ImportStateResult():
            return (str(result.outcome), f"{len(result.goals)} goals")
        case _:
            return (str(result.outcome),)
