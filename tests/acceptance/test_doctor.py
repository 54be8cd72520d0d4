"""`leanfleet doctor` and a worker that cannot start: what is wrong is said in a line, with what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.stack.ports import free_port
from tasks.stack.valkey import Valkey
from tests.machines import worker_environ

LEANFLEET = (sys.executable, "-m", "leanfleet")


def run(*arguments: str, environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LEANFLEET, *arguments], env=environ, cwd=folder, text=True, capture_output=True, timeout=120, check=False
    )


def findings(result: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["subject"]: (line["level"], line.get("advice", "")) for line in lines}


def test_all_is_fine_where_all_is_there(valkey: Valkey, tmp_path: Path) -> None:
    complete = {"STORE_URL": (tmp_path / "store").as_uri(), "WORKER_BLOB_KEYS": "a key for the tests only"}
    environ = worker_environ(valkey.url, "doctor", **complete)
    result = run("doctor", "--json", environ=environ, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    found = findings(result)
    # It runs in a folder that is closed to other users, for whose sake a REPL stays the user that the worker is.
    found.pop("isolation of REPLs lacks", None)
    # The stand-in for a REPL speaks the community REPL's protocol, and so leaves room for a stronger check.
    assert found.pop("verdicts")[0] == "warning"
    assert {level for level, _ in found.values()} == {"fine"}, found
    assert set(findings(result)) >= {
        "celery",
        "kombu",
        "broker",
        "maxmemory-policy",
        "persistence",
        "store",
        "signing key",
        "Lean",
        "metrics",
        "verdicts",
    }
    assert not (tmp_path / "store" / "leanfleet-check").is_dir() or not list(
        (tmp_path / "store" / "leanfleet-check").iterdir()
    )


def test_keys_of_two_machines_can_be_compared_and_are_not_shown(valkey: Valkey, tmp_path: Path) -> None:
    old, new = "a key for the tests only", "the key after this one"

    def shown(keys: str) -> str:
        values = {"STORE_URL": (tmp_path / "store").as_uri(), "WORKER_BLOB_KEYS": keys}
        result = run("doctor", "--json", environ=worker_environ(valkey.url, "doctor", **values), folder=tmp_path)
        assert old not in result.stdout + result.stderr
        assert new not in result.stdout + result.stderr
        lines = map(json.loads, result.stdout.splitlines())
        return str(next(line["found"] for line in lines if line["subject"] == "signing key"))

    signs, accepted = (part.split()[2] for part in (shown(old), shown(new)))
    assert signs != accepted
    assert f"signs with {signs}; {accepted} accepted too" in shown(f"{old}, {new}")


def test_a_store_without_a_key_is_a_warning(valkey: Valkey, tmp_path: Path) -> None:
    environ = worker_environ(valkey.url, "doctor", STORE_URL=(tmp_path / "store").as_uri())
    result = run("doctor", "--json", environ=environ, folder=tmp_path)
    assert result.returncode == 0
    level, advice = findings(result)["signing key"]
    assert level == "warning"
    assert "LEANFLEET_WORKER_BLOB_KEYS" in advice


def test_a_broker_that_forgets_is_a_warning(tmp_path: Path) -> None:
    with Valkey(tmp_path / "valkey", persistent=False) as forgetful:
        result = run("doctor", "--json", environ=worker_environ(forgetful.url, "doctor"), folder=tmp_path)
    assert result.returncode == 0
    assert findings(result)["persistence"][0] == "warning"
    assert "appendonly yes" in findings(result)["persistence"][1]


@pytest.mark.parametrize(
    ("settings", "subject", "advice"),
    [
        ({"BROKER_URL": "redis://127.0.0.1:{free}/0"}, "broker", "cannot be used"),
        ({"BROKER_URL": "mysql://127.0.0.1"}, "broker", "LEANFLEET_RESULT_URL"),
        ({"WORKER_REPL_COMMAND": "/nonexistent/repl"}, "Lean", "no such program"),
        ({"STORE_URL": "ftp://somewhere"}, "store", "ftp"),
        ({"WORKER_BLOB_KEYS": "short", "STORE_URL": "file:///tmp"}, "signing key", "fewer than 16 characters"),
        ({"STORE_URL": "file:///proc"}, "store", "batches and exported states need to write"),
        ({"WORKER_SIZE": "many"}, "settings", "in table 'worker': Expected `int`"),
    ],
)
def test_what_is_missing_is_named_and_the_rest_is_looked_at_all_the_same(
    settings: dict[str, str], subject: str, advice: str, valkey: Valkey, tmp_path: Path
) -> None:
    values = {f"LEANFLEET_{name}": value.format(free=free_port()) for name, value in settings.items()}
    result = run("doctor", "--json", environ={**worker_environ(valkey.url, "doctor"), **values}, folder=tmp_path)
    assert result.returncode == 1
    assert findings(result)[subject][0] == "error"
    assert advice in findings(result)[subject][1]
    assert findings(result)["celery"][0] == "fine"
    assert "Traceback" not in result.stderr


def test_a_misspelt_variable_is_a_warning_and_a_lean_that_cannot_be_run_is_said_once(tmp_path: Path) -> None:
    environ = worker_environ("", "doctor", PRIORTY="bulk", WORKER_REPL_COMMAND="/nonexistent/repl")
    result = run("doctor", "--json", environ=environ, folder=tmp_path)
    assert findings(result)["variable LEANFLEET_PRIORTY"] == ("warning", "is LEANFLEET_PRIORITY meant?")
    assert result.stdout.count("/nonexistent/repl") == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"BROKER_URL": ""}, "no broker is named: set LEANFLEET_BROKER_URL"),
        ({"BROKER_URL": "mysql://127.0.0.1"}, "no such broker: mysql"),
        ({"WORKER_REPL_COMMAND": "/nonexistent/repl"}, "no such program"),
        ({"REDELIVERY_LEASE_SECONDS": "0.1"}, "lease_seconds must be at least 1"),
    ],
)
def test_a_worker_that_cannot_start_says_why_and_exits_with_2(
    settings: dict[str, str], message: str, valkey: Valkey, tmp_path: Path
) -> None:
    values = {f"LEANFLEET_{name}": value for name, value in settings.items()}
    result = run("worker", environ={**worker_environ(valkey.url, "doctor"), **values}, folder=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_an_external_checker_is_named_and_one_that_is_not_there_is_told(valkey: Valkey, tmp_path: Path) -> None:
    environ = worker_environ(valkey.url, "doctor", WORKER_VERIFY_COMMAND="/bin/true")
    result = run("doctor", "--json", environ=environ, folder=tmp_path)
    assert "strength external, by /bin/true" in result.stdout
    environ = worker_environ(valkey.url, "doctor", WORKER_VERIFY_COMMAND="no-such-checker")
    result = run("doctor", "--json", environ=environ, folder=tmp_path)
    assert result.returncode == 1
    assert any("there is no program no-such-checker" in advice for _, advice in findings(result).values())
