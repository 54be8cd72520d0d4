import pytest

from producer.result import Position
from workers.protocol.responses import Message
from workers.verification.axioms import question, read_answer


def test_axioms_are_read_from_what_lean_prints() -> None:
    theorems = ["a", "N.b", "c", "d"]
    assert question(theorems).splitlines()[1] == "#print axioms N.b"
    said = {
        1: "'a' does not depend on any axioms",
        2: "'N.b' depends on axioms: [propext,\n Classical.choice,\n Quot.sound]",
        3: "'c' depends on axioms: [bad]",
    }
    messages = [Message(severity="info", data=data, pos=Position(line, 0)) for line, data in said.items()]
    found = read_answer(theorems, messages)
    assert found == {"a": (), "N.b": ("propext", "Classical.choice", "Quot.sound"), "c": ("bad",), "d": None}


@pytest.mark.parametrize(
    "message",
    [
        Message(severity="error", data="'a' does not depend on any axioms", pos=Position(1, 0)),
        Message(severity="info", data="'a' does not depend on any axioms"),
        Message(severity="info", data="'a' does not depend on any axioms", pos=Position(9, 0)),
        Message(severity="info", data="I say: 'a' does not depend on any axioms", pos=Position(1, 0)),
        Message(severity="info", data="whatever", pos=Position(1, 0)),
    ],
)
def test_what_is_no_answer_leaves_the_theorem_unknown(message: Message) -> None:
    assert read_answer(["a"], [message]) == {"a": None}
