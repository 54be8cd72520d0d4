"""Reading a text for forbidden commands and theorems: nothing gets past it, and it ends whatever is written."""

import subprocess
import sys

import pytest

from workers.verification.forbidden import forbidden_commands


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open Nat open Lean", "open Lean"),
        ("open Nat -- a comment\nopen /- one -/ Lean", "open Lean"),
        ("namespace A open Foo Lean", "open Foo Lean"),
        ("@[simp, local /- ] -/ init] def x := 1", "@[init"),
        ("@[simp @[local /- ] -/ init] def x := 1", "@[init"),
        ("local /- open -/ instance : Inhabited Nat := ⟨1⟩", "local instance"),
        ("set_option set_option /- one -/ pp.all true", "set_option pp"),
        ("def x := 12_3.5e7macro", "macro"),
    ],
)
def test_a_command_is_found_behind_the_beginning_of_another(text: str, found: str) -> None:
    assert found in list(forbidden_commands(text))


@pytest.mark.parametrize("text", ["open Nat open Finset", "@[simp] theorem t : 1 = 1 := rfl", "local notation_x"])
def test_what_is_none_is_not_found(text: str) -> None:
    assert list(forbidden_commands(text)) == []


REPEATED = ["é", "open ", "@[", "@[a ", "set_option ", "open a ", '\\"', "«", 'r#"', "-", "1" * 20]


@pytest.mark.parametrize("prefix", ["", '"', 'def s := s!"{1}"\n'])
def test_no_text_takes_for_ever(prefix: str) -> None:
    code = f"""
from producer.theorems import read
from workers.verification.forbidden import forbidden_commands
for each in {REPEATED!r}:
    text = {prefix!r} + each * 20_000
    read(text)
    list(forbidden_commands(text))
"""
    subprocess.run([sys.executable, "-c", code], timeout=120, check=True)
