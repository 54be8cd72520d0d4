"""What is asked of the fleet meanwhile, and what each answer must be: those of a calm run, since nothing is random."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from producer.operation import AnyOperation, ExportState, ImportState, RunCode, RunTactics
from producer.outcome import Outcome
from producer.result import AnyResult, ExportStateResult, ImportStateResult, RunCodeResult, RunTacticsResult
from producer.state import CommandStep, SorryStep, StateRef

Answer = tuple[str, ...]

# Up to here an operation finishes between two kills, three seconds apart, of one machine in three.
MEDIUM_SECONDS = 6.0
_GOAL_CODE = "theorem t : True := sorry"
_STATE = StateRef(steps=(CommandStep(_GOAL_CODE), SorryStep(0)))


@dataclass(frozen=True)
class Question:
    operation: AnyOperation
    answer: Answer


def questions(seed: int, *, longest_seconds: float, timeout_seconds: float) -> Iterator[Question]:
    """Without end. Mostly of milliseconds, some of seconds, few as long as may be; some fail, a few kill their REPL."""
    for question in _questions(random.Random(seed), longest_seconds):
        yield Question(msgspec.structs.replace(question.operation, timeout_seconds=timeout_seconds), question.answer)


def _questions(chance: random.Random, longest_seconds: float) -> Iterator[Question]:
    for number in itertools.count():
        draw = chance.random()
        if draw < 0.78:
            yield _say(str(number))
        elif draw < 0.88:
            yield _say(str(number), sleep=chance.uniform(0.02, 0.3))
        elif draw < 0.885:
            yield _say(str(number), sleep=chance.uniform(1.0, min(longest_seconds, MEDIUM_SECONDS)))
        elif draw < 0.886:
            yield _say(str(number), sleep=longest_seconds)
        elif draw < 0.93:
            yield Question(RunCode(code=f"error in {number}"), ("lean_error", f"in {number}"))
        elif draw < 0.96:
            tactics = ("trivial", "nonsense", "skip")
            yield Question(RunTactics(state=_STATE, tactics=tactics), ("ok", "ok", "lean_error", "ok"))
        elif draw < 0.98:
            yield Question(ImportState(state=_STATE), ("ok", "1 goals"))
        elif draw < 0.998:
            code = f"theorem t{number} : True := sorry"  # a state that nobody else asks for
            yield Question(ExportState(state=StateRef(steps=(CommandStep(code), SorryStep(0)))), ("ok", code))
        else:
            yield Question(RunCode(code=f"%say {number}\n%signal 9"), ("repl_died",))


def _say(text: str, *, sleep: float = 0.0) -> Question:
    code = f"%say {text}" if not sleep else f"%sleep {sleep:.3f}\n%say {text}"
    return Question(RunCode(code=code), ("ok", text))


def answer_of(result: AnyResult) -> Answer:
    """What of a result must not depend on faults: everything but times, workers, tries, and whether a blob is stored.

    A state that could not be stored is exported all the same: its reference is its recipe.
    """
    if result.outcome not in (Outcome.OK, Outcome.LEAN_ERROR):
        return (str(result.outcome),)
    match result:
        case RunCodeResult():
            return (str(result.outcome), *(message.data for message in result.messages))
        case RunTacticsResult():
            return (str(result.outcome), *(str(tactic.outcome) for tactic in result.tactics))
        case ImportStateResult():
            return (str(result.outcome), f"{len(result.goals)} goals")
        case ExportStateResult(state=StateRef(steps=(CommandStep(code), SorryStep(0)))):
            return (str(result.outcome), code)
        case _:
            return (str(result.outcome),)


def batch_texts(seed: int, count: int) -> tuple[list[dict[str, str]], Counter[str]]:
    """The texts of a batch, and how often each outcome must come."""
    chance = random.Random(seed)
    texts: list[dict[str, str]] = []
    outcomes: Counter[str] = Counter()
    for number in range(count):
        draw = chance.random()
        if draw < 0.8:
            code, outcome = f"%sleep {chance.uniform(0.002, 0.1):.3f}\n%say {seed} {number}", "ok"
        elif draw < 0.98:
            code, outcome = f"error in {seed} {number}", "lean_error"
        else:
            code, outcome = f"%say {seed} {number}\n%signal 9", "repl_died"
        texts.append({"id": f"p{number}", "code": code})
        outcomes[outcome] += 1
    return texts, outcomes
