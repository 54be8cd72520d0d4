"""One message for each proof: the question for its theorems' axioms is put after its text, and both are judged at once.

The only module that knows how a proof is asked and judged. `producer.checking` asks in two operations; here that would
need somebody who waits for the first answer.
"""

import re

from msgspec.structs import replace

from producer.audit import question, read_answer
from producer.batch.manifest import Entry
from producer.files import Text
from producer.judgement import Judgement
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.result import AnyResult, Message, RunCodeResult
from producer.theorems import find_theorems
from producer.verdict import judge, needs_audit

# What Lean says of a name that it does not know; every other error behind the text is one that the text left open.
_UNKNOWN = re.compile(r"\s*unknown (?:constant|identifier|declaration)", re.IGNORECASE)


def entry_of(text: Text) -> Entry:
    code = text.operation.code
    return Entry(id=text.id, lines=code.count("\n") + 1, theorems=find_theorems(code), expect=text.expect)


def asked(operation: RunCode, entry: Entry) -> RunCode:
    """What a worker is to run for a proof."""
    if not entry.theorems:
        return operation
    return replace(operation, code=f"{operation.code}\n{question(entry.theorems)}")


def judge_answer(entry: Entry, result: AnyResult) -> tuple[Judgement, tuple[Message, ...]]:
    """The verdict, and what Lean said about the text itself."""
    if not isinstance(result, RunCodeResult):
        raise TypeError(f"a {type(result).__name__} is no answer to a proof")
    own: list[Message] = []
    answers: list[Message] = []
    for message in result.messages:
        is_behind = message.pos is not None and message.pos.line > entry.lines
        is_open_end = message.severity == "error" and not _UNKNOWN.match(message.data)
        if is_behind and not is_open_end:
            answers.append(_moved(message, entry.lines))
        else:
            own.append(message)
    outcome = result.outcome
    if outcome is Outcome.LEAN_ERROR and not result.reason and not any(each.severity == "error" for each in own):
        outcome = Outcome.OK  # only the question had errors: names that Lean does not know
    text = replace(result, outcome=outcome, messages=tuple(own))
    axioms = None
    if needs_audit(text, entry.theorems):
        axioms = read_answer(entry.theorems, replace(text, messages=tuple(answers)))
    return judge(text, entry.theorems, axioms), text.messages


def _moved(message: Message, lines: int) -> Message:
    position = message.pos
    return message if position is None else replace(message, pos=replace(position, line=position.line - lines))
