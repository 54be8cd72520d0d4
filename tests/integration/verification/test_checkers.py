"""External checkers behind real proofs, by stand-ins with their command lines: what goes wrong proves nothing."""

import shlex
import sys
from pathlib import Path

import msgspec
import pytest

import workers.testing
from producer.errors import ReplDiedError, SettingsError
from producer.judgement import Strength, Verdict
from producer.operation import VerifyProof
from producer.outcome import Outcome
from tests.integration.verification.conftest import Start, verify
from workers.project import embedded_project
from workers.settings import WorkerSettings
from workers.verification.external import ExternalChecker

STATEMENT = "theorem t (n : Nat) : n < n + 1 := sorry"
PROOF = "theorem t (n : Nat) : n < n + 1 := Nat.lt_succ_self n\n"
STAND_IN = Path(workers.testing.__file__).with_name("toolchain.py")


def checked_by(checker: str, folder: Path) -> dict[str, str]:
    """Settings for a checker's stand-in, in a project that is prepared for it."""
    (folder / "lakefile.toml").write_text('[[lean_lib]]\nname = "Challenge"\n[[lean_lib]]\nname = "Solution"\n')
    (folder / ".lake" / "packages" / "mathlib").mkdir(parents=True, exist_ok=True)
    command = shlex.join([sys.executable, "-I", "-S", str(STAND_IN), "lake", "env", checker])
    return {"verify_command": command, "verify_checker": checker, "verify_directory": str(folder)}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("checker", ["comparator", "leanchecker"])
async def test_an_accepted_proof_is_proved_and_an_unproved_one_is_not_even_asked_about(
    start: Start, tmp_path: Path, checker: str
) -> None:
    async with start(**checked_by(checker, tmp_path)) as executor:
        result = await verify(executor, PROOF, STATEMENT, strength="external")
        assert (result.verdict, result.strength, result.reasons) == (Verdict.PROVED, Strength.EXTERNAL, ())
        result = await verify(executor, f"theorem t : 1 = 2 := sorry -- \n-- %{checker} hang", STATEMENT)
        assert result.verdict is Verdict.NOT_PROVED
    assert names_in(tmp_path) == [".lake", "lakefile.toml"]  # the project that was prepared is as it was


@pytest.mark.parametrize(
    ("checker", "order", "reason"),
    [
        ("comparator", "%comparator comparison t has another type", "comparison: t has another type"),
        ("comparator", "%comparator axioms t uses an axiom", "axioms: t uses an axiom"),
        ("comparator", "%comparator kernel (kernel) declaration type mismatch", "kernel: (kernel) declaration type"),
        ("comparator", "%comparator old Const does not match", "Comparator: uncaught exception: Const does not match"),
        ("comparator", "%lake fail", "Comparator: uncaught exception: Child exited with 1"),
        (
            "leanchecker",
            "%leanchecker reject declaration has metavariables",
            "leanchecker: uncaught exception: (kernel)",
        ),
        ("leanchecker", "%lean error unknown tactic", "it does not compile as a module: unknown tactic"),
    ],
)
async def test_what_a_checker_rejects_is_not_proved(
    start: Start, tmp_path: Path, checker: str, order: str, reason: str
) -> None:
    async with start(**checked_by(checker, tmp_path)) as executor:
        result = await verify(executor, f"{PROOF}-- {order}", STATEMENT)
    assert (result.outcome, result.verdict) == (Outcome.OK, Verdict.NOT_PROVED)
    assert result.reasons[0].startswith(f"external_rejected: {reason}")


@pytest.mark.parametrize(
    ("checker", "order", "outcome"),
    [
        ("comparator", "%comparator silent", Outcome.REPL_DIED),
        ("comparator", "%comparator signal 9", Outcome.REPL_DIED),
        ("comparator", "%comparator exit 0", Outcome.REPL_DIED),
        ("comparator", "%comparator hang", Outcome.TIMEOUT),
        ("leanchecker", "%lean exit 0", Outcome.REPL_DIED),  # no module came of it
        ("leanchecker", "%lean exit 3", Outcome.REPL_DIED),
        ("leanchecker", "%lean signal 11", Outcome.REPL_DIED),
        ("leanchecker", "%lean hang", Outcome.TIMEOUT),
        ("leanchecker", "%leanchecker exit 1", Outcome.REPL_DIED),
        ("leanchecker", "%leanchecker exit 139", Outcome.REPL_DIED),
        ("leanchecker", "%leanchecker signal 6", Outcome.REPL_DIED),
        ("leanchecker", "%leanchecker hang", Outcome.TIMEOUT),
        ("leanchecker", f"%lean allocate {8 * 1024**3}", Outcome.REPL_DIED),
    ],
)
async def test_a_checker_that_comes_to_no_judgement_proves_nothing(
    start: Start, tmp_path: Path, checker: str, order: str, outcome: Outcome
) -> None:
    async with start(**checked_by(checker, tmp_path)) as executor:
        seconds = 3.0 if outcome is Outcome.TIMEOUT else 60.0
        limits = {"timeout_seconds": seconds, "memory_bytes": 2 * 1024**3}
        result = await verify(executor, f"{PROOF}-- {order}", STATEMENT, **limits)
        assert (result.outcome, result.verdict) == (outcome, Verdict.ERROR)
        assert "external checker" in result.reason
        assert (await verify(executor, PROOF, STATEMENT)).is_proved  # and harms no other proof


async def test_a_checker_that_python_cannot_import_rejects_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named workers' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    checker = ExternalChecker(msgspec.convert(checked_by("comparator", tmp_path), WorkerSettings), embedded_project())
    try:
        with pytest.raises(ReplDiedError, match="status 1: No module named workers"):
            await checker.rejection(VerifyProof(statement=STATEMENT, proof=PROOF), "t")
    finally:
        checker.close()


async def test_a_proof_cannot_answer_for_the_checker(start: Start, tmp_path: Path) -> None:
    async with start(**checked_by("comparator", tmp_path)) as executor:
        said = '-- %comparator print Your solution is okay!\n-- %comparator print {"kernelAccepted": true}\n'
        result = await verify(executor, f"{PROOF}{said}-- %comparator old no", STATEMENT)
        assert result.verdict is Verdict.NOT_PROVED
        result = await verify(executor, f"{PROOF}{said}-- %comparator axioms sorryAx", STATEMENT)
        assert result.reasons == ("external_rejected: axioms: sorryAx",)


async def test_what_concerns_the_statement_alone_is_no_fault_of_the_proof(start: Start, tmp_path: Path) -> None:
    async with start(**checked_by("comparator", tmp_path)) as executor:
        result = await verify(executor, PROOF, f"{STATEMENT}\n-- %lake fail")
        assert (result.outcome, result.verdict) == (Outcome.REPL_DIED, Verdict.ERROR)
        result = await verify(executor, PROOF)
        assert result.verdict is Verdict.ERROR
        assert "none was given" in result.reason


async def test_a_checker_sees_no_secrets_of_its_worker(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEANFLEET_BROKER_URL", "redis://:canary@host")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    async with start(**checked_by("comparator", tmp_path)) as executor:
        # What it printed last is the reason: here, all that it knows of its environment.
        order = "-- %comparator environ\n-- %comparator exit 1"
        result = await verify(executor, f"{PROOF}{order}", STATEMENT)
    assert '"PATH"' in result.reasons[0]
    assert "canary" not in str(result)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"verify_command": "no-such-checker"}, "there is no program no-such-checker"),
        ({"verify_command": "/no/such/checker"}, "there is no program /no/such/checker"),
        ({"verify_command": "'"}, "no command line"),
        ({"verify_checker": "comparator"}, "which is not set"),
        ({"verify_command": "true", "verify_checker": "comparator"}, "needs a lake project"),
        ({"verify_command": "true", "verify_directory": "/no/such"}, "no folder"),
    ],
)
def test_a_checker_that_cannot_be_run_is_refused_before_the_first_proof(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ExternalChecker(msgspec.convert(settings, WorkerSettings), embedded_project())


async def test_where_none_is_configured_a_required_one_is_refused(start: Start) -> None:
    async with start() as executor:
        result = await verify(executor, PROOF, STATEMENT, strength="external")
    assert (result.outcome, result.verdict) == (Outcome.INVALID_REQUEST, Verdict.ERROR)
    assert "verify_command is not set" in result.reason
