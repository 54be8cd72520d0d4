"""Verifying by constants: what is asked, what is remembered, and what goes wrong without being the proof's fault."""

import asyncio
import logging
from pathlib import Path

import pytest

from producer.judgement import Strength, Verdict
from producer.outcome import Outcome
from producer.result import AuditedTheorem
from tests.integration.verification.conftest import Start, verify
from tests.waiting import until

STATEMENT = "theorem t (n : Nat) : n < n + 1 := sorry"
PROOF = "theorem t (n : Nat) : n < n + 1 := Nat.lt_succ_self n"


async def test_a_verdict_says_how_it_was_reached_and_on_what_it_rests(start: Start) -> None:
    async with start() as executor:
        result = await verify(executor, PROOF, STATEMENT)
        assert (result.outcome, result.verdict, result.reasons) == (Outcome.OK, Verdict.PROVED, ())
        assert result.strength is Strength.KERNEL
        assert result.theorems == (AuditedTheorem(name="t", kind="theorem"),)
        assert result.is_proved


async def test_without_a_statement_every_theorem_of_the_text_counts(start: Start) -> None:
    async with start() as executor:
        two = PROOF + "\ntheorem u : 1 = 2 := sorry"
        assert (await verify(executor, two)).reasons == ("contains_sorry",)
        assert [each.name for each in (await verify(executor, two)).theorems] == ["t", "u"]
        assert (await verify(executor, "example : 1 = 1 := rfl")).reasons[0].startswith("no_theorem")
        assert (await verify(executor, "private " + PROOF)).is_proved
        assert (await verify(executor, PROOF + "\nexample : 1 = 2 := sorry")).reasons == ("contains_sorry",)


HIDDEN = """theorem t : 1 = 1 := rfl
def «"» : Nat := 1
theorem hidden : 1 = 2 := PROOF
def «x"» : Nat := 2
"""


async def test_a_theorem_that_reading_does_not_find_counts_where_no_statement_is_given(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lean's environment tells of all; those that Lean generates for types and definitions are no reason to refuse."""
    types = (
        "structure S where\n  x : Nat\n  h : x < 5\ninductive T | a | b (n : Nat) (t : T)\n"
        "def T.size : T → Nat | .a => 0 | .b _ t => t.size + 1\n"
    )
    async with start() as executor:
        assert (await verify(executor, types + PROOF, allowed_axioms=[])).is_proved
        monkeypatch.setattr("workers.verification.kernel.find_theorems", lambda _: ("t",))
        result = await verify(executor, "axiom a : 1 = 2\n" + HIDDEN.replace("PROOF", "a"))
        assert result.reasons == ("forbidden_axiom: a",)
        assert [each.name for each in result.theorems] == ["t", "hidden"]
        assert (await verify(executor, HIDDEN.replace("PROOF", "sorry"))).reasons == ("contains_sorry",)
        fine = await verify(executor, HIDDEN.replace("1 = 2 := PROOF", "2 = 2 := rfl"))
        assert (fine.is_proved, [each.name for each in fine.theorems]) == (True, ["t"])


async def test_one_of_several_theorems_can_be_meant(start: Start) -> None:
    statement = STATEMENT + "\ntheorem u : 1 = 2 := sorry"
    async with start() as executor:
        assert (await verify(executor, PROOF, statement, theorem="t")).is_proved
        assert (await verify(executor, PROOF, statement)).reasons == ("missing_declaration: u",)


async def test_axioms_are_allowed_by_name_where_they_are_the_statements_own(start: Start) -> None:
    given = "axiom given : 1 = 2\n"
    statement, proof = given + "theorem t : 2 = 1 := sorry", given + "theorem t : 2 = 1 := given.symm"
    classical = "theorem t (p : Prop) : p ∨ ¬p := Classical.em p"
    async with start() as executor:
        assert (await verify(executor, proof, statement)).reasons == ("forbidden_axiom: given",)
        assert (await verify(executor, proof, statement, allowed_axioms=["given"])).is_proved
        assert (await verify(executor, proof, allowed_axioms=["given"])).reasons == ("forbidden_axiom: given",)
        assert len((await verify(executor, classical, allowed_axioms=[])).reasons) == 3


async def test_a_statement_that_is_none_is_the_askers_fault(start: Start) -> None:
    async with start() as executor:
        for statement, says in {
            "theorem t : 1 = := sorry": "cannot be elaborated",
            "def x := 1": "declares no theorem by name",
            "import Nowhere\ntheorem t : 1 = 1 := sorry": "imports cannot be had",
            "/- theorem t : 1 = 1 := sorry -/ theorem u : 1 = 1 := sorry": "",
        }.items():
            result = await verify(executor, PROOF, statement)
            if says:
                assert (result.outcome, result.verdict) == (Outcome.INVALID_REQUEST, Verdict.ERROR)
                assert says in result.judgement.reasons[0]
            else:
                assert result.reasons == ("missing_declaration: u",)
        result = await verify(executor, PROOF, "def t : Nat := 1\ntheorem u : 1 = 1 := sorry", theorem="t")
        assert "t is no theorem in the statement" in result.reason
        result = await verify(executor, PROOF, STATEMENT, theorem="u")
        assert "does not declare u" in result.reason


async def test_limits_hold_for_statement_proof_and_audit(start: Start) -> None:
    endless = "theorem t : True := by repeat (first | skip)"
    async with start() as executor:
        result = await verify(executor, PROOF, endless, timeout_seconds=0.5)
        assert (result.outcome, result.verdict) == (Outcome.TIMEOUT, Verdict.ERROR)
        result = await verify(executor, endless, "theorem t : True := sorry", timeout_seconds=3)
        assert (result.outcome, result.judgement.reasons[0][:7]) == (Outcome.TIMEOUT, "timeout")
        assert (await verify(executor, PROOF, STATEMENT)).is_proved


async def test_many_at_a_time_do_not_get_into_each_others_way(start: Start) -> None:
    async with start(size=2) as executor:
        asked = []
        for number in range(40):
            statement = f"theorem t{number} (n : Nat) : n + {number} = {number} + n := sorry"
            right = statement.replace("sorry", f"Nat.add_comm n {number}")
            wrong = right.replace(f"+ {number} =", f"+ {number} + 0 =")
            asked.append(
                verify(executor, right if number % 2 else f"-- {number}\ntheorem t{number} : 1 = 1 := rfl", statement)
            )
            assert wrong != right
        results = await asyncio.gather(*asked)
        assert [result.is_proved for result in results] == [bool(number % 2) for number in range(40)]


async def test_a_stronger_check_than_there_is_is_refused(start: Start) -> None:
    async with start() as executor:
        result = await verify(executor, PROOF, STATEMENT, strength="external")
        assert (result.outcome, result.verdict) == (Outcome.INVALID_REQUEST, Verdict.ERROR)
        assert "verify_command" in result.reason
        assert (await verify(executor, PROOF, STATEMENT, strength="kernel")).is_proved
        assert (await verify(executor, PROOF, STATEMENT, strength="command")).is_proved


CHECKER = """
import json, sys
asked = json.loads(sys.stdin.readline())
print("looking at", asked["theorem"])
if "show" in asked["proof"]:
    print(asked["proof"].partition("\\n")[0])
    sys.exit(1)
if "cheat" in asked["proof"]:
    print("it cheats")
    sys.exit(1)
sys.exit(3 if "break" in asked["proof"] else 0)
"""


async def test_an_external_checker_has_the_last_word_against_a_proof(start: Start, tmp_path: Path) -> None:
    checker = tmp_path / "checker.py"
    checker.write_text(CHECKER)
    command = f"/usr/bin/env python3 {checker}"
    async with start(verify_command=command, isolation_readable=str(tmp_path), isolation="off") as executor:
        result = await verify(executor, PROOF, STATEMENT, strength="external")
        assert (result.verdict, result.strength) == (Verdict.PROVED, Strength.EXTERNAL)
        result = await verify(executor, PROOF + " -- cheat", STATEMENT)
        assert result.reasons == ("external_rejected: it cheats",)
        result = await verify(executor, PROOF + " -- show", "import Init\n" + STATEMENT)
        assert result.reasons == ("external_rejected: import Init",)  # without it nothing would be known there
        result = await verify(executor, PROOF + " -- break", STATEMENT)
        assert (result.outcome, result.verdict) == (Outcome.REPL_DIED, Verdict.ERROR)
        assert "status 3" in result.reason


async def test_statements_can_be_kept_apart_from_each_other(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Where models write statements, too, one must not find the process of the one before it."""

    def ended() -> int:
        return sum(
            "ends: " in record.message and "use" in record.message.partition(":")[2] for record in caplog.records
        )

    caplog.set_level(logging.INFO, "leanfleet.pool")
    async with start(verify_statements="apart") as executor:
        for number in range(3):
            caplog.clear()
            statement = f"theorem t{number} : {number} = {number} := "
            assert (await verify(executor, statement + "rfl", statement + "sorry")).is_proved
            await until(lambda: ended() == 1, "the statement's process has ended")
            assert (await verify(executor, statement + "rfl -- again", statement + "sorry")).is_proved
            assert ended() == 1  # it was remembered
