"""How a proof is asked and judged: one message for each, since nobody need live to send a second one.

The only module that knows which operation decides over a proof; it is the one that `producer.checking` uses.
"""

from producer.files import Text
from producer.judgement import Judgement
from producer.operation import VerifyProof
from producer.result import AnyResult, Message, VerifyProofResult


def operation_of(text: Text) -> VerifyProof:
    """What a worker is to run for a text."""
    return VerifyProof(
        proof=text.operation.code,
        statement=text.statement,
        timeout_seconds=text.operation.timeout_seconds,
        memory_bytes=text.operation.memory_bytes,
    )


def judge_answer(result: AnyResult) -> tuple[Judgement, tuple[Message, ...]]:
    """The verdict, and what Lean said about the text. Raise TypeError for what answers no proof."""
    if not isinstance(result, VerifyProofResult):
        raise TypeError(f"a {type(result).__name__} is no answer to a proof")
    return result.judgement, result.messages
