"""`leanfleet check`, as a user runs it."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer.settings import Settings
from tasks.stack.fleet import local_fleet
from tasks.stack.ports import claim
from tasks.stack.valkey import Valkey
from tests.integration.client.responder import Responder
from tests.waiting import DEADLINE_SECONDS, wait_until

LEANFLEET = Path(sys.executable).parent / "leanfleet"
ENVIRON = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}

TEXTS: list[dict[str, Any]] = [
    {"id": "proved", "code": "theorem a (p : Prop) (h : p) : p := h"},
    {"id": "axiom of lean", "code": "theorem b (p q : Prop) (h : p ↔ q) : p = q := propext h"},
    {"id": "namespace", "code": "namespace N\ntheorem c : True := True.intro\nend N"},
    {"id": "false", "code": "theorem d : 1 = 2 := rfl"},
    {"id": "sorry", "code": "theorem e : 1 = 2 := by sorry"},
    {"id": "own axiom", "code": "axiom bad : False\ntheorem f : 1 = 2 := bad.elim"},
    {"id": "no theorem", "code": "example : 1 = 1 := rfl"},
    {"id": "syntax", "code": "theorem g : := rfl"},
    {"id": "slow", "code": "theorem h : True := by repeat (first | skip)", "timeout_seconds": 1.0},
]
VERDICTS = {
    "proved": ("proved", "ok", ""),
    "axiom of lean": ("proved", "ok", ""),
    "namespace": ("proved", "ok", ""),
    "false": ("not_proved", "lean_error", "lean_error: 1:"),
    "sorry": ("not_proved", "ok", "contains_sorry"),
    "own axiom": ("not_proved", "ok", "forbidden_axiom: bad"),
    "no theorem": ("not_proved", "ok", "no_theorem"),
    "syntax": ("not_proved", "lean_error", "lean_error: 1:"),
    "slow": ("error", "timeout", "timeout"),
}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Settings]:
    with local_fleet(Settings()) as settings:
        yield settings


def check(*arguments: object, broker_url: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LEANFLEET, "check", *map(str, arguments)],
        env={**ENVIRON, **({"LEANFLEET_BROKER_URL": broker_url} if broker_url else {}), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_every_text_gets_its_verdict(fleet: Settings, tmp_path: Path) -> None:
    done = check("--json", write(tmp_path / "texts.jsonl", *TEXTS), broker_url=fleet.broker_url)
    results = {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}
    for name, (verdict, outcome, reason) in VERDICTS.items():
        found = results.pop(name)
        assert set(found) == {"id", "verdict", "outcome", "reasons", "seconds"}
        assert (found["verdict"], found["outcome"]) == (verdict, outcome), found
        assert found["seconds"] > 0
        assert any(each.startswith(reason) for each in found["reasons"]) if reason else found["reasons"] == []
    assert results == {}
    assert done.returncode == 1
    assert "3 proved" in done.stderr


def test_what_ends_as_expected_is_fine(fleet: Settings, tmp_path: Path) -> None:
    expected = [
        text | {"expect": {"verdict": VERDICTS[text["id"]][0], "outcome": VERDICTS[text["id"]][1]}} for text in TEXTS
    ]
    done = check("--json", write(tmp_path / "texts.jsonl", *expected), broker_url=fleet.broker_url)
    assert [json.loads(line)["as_expected"] for line in done.stdout.splitlines()] == [True] * len(TEXTS)
    assert done.returncode == 0

    surprise = TEXTS[0] | {"expect": {"verdict": "not_proved"}}
    done = check(write(tmp_path / "surprise.jsonl", surprise), broker_url=fleet.broker_url)
    assert "(NOT as expected)" in done.stdout
    assert "1 not as expected" in done.stderr
    assert done.returncode == 1


def test_a_text_may_say_what_it_is_to_prove(fleet: Settings, tmp_path: Path) -> None:
    statement = "theorem t (n : Nat) : n < n + 1 := sorry"
    lines = [
        {"id": "right", "statement": statement, "code": "theorem t (n : Nat) : n < n + 1 := Nat.lt_succ_self n"},
        {"id": "other", "statement": statement, "code": "theorem t : 1 = 1 := rfl"},
        {"id": "none", "statement": "theorem t : := sorry", "code": "theorem t : 1 = 1 := rfl"},
    ]
    done = check("--json", write(tmp_path / "a.jsonl", *lines), broker_url=fleet.broker_url)
    found = {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert found["right"]["verdict"] == "proved"
    assert found["other"]["reasons"] == ["statement_mismatch: t proves something else than the statement"]
    assert (found["none"]["verdict"], found["none"]["outcome"]) == ("error", "invalid_request")


def test_proved_files_exit_with_zero(fleet: Settings, tmp_path: Path) -> None:
    one, two = tmp_path / "one.lean", tmp_path / "two.lean"
    one.write_text("theorem a : True := True.intro")
    two.write_text("theorem b : 1 = 1 := rfl")
    done = check(one, two, broker_url=fleet.broker_url)
    assert done.returncode == 0
    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == ["proved", "proved"]
    assert str(one) in done.stdout
    assert done.stderr.startswith("2 proved; 2 in ")


def test_limits_of_the_command_line_hold_for_texts_that_name_none(fleet: Settings, tmp_path: Path) -> None:
    text = {"id": "slow", "code": "theorem h : True := by repeat (first | skip)"}
    done = check("--json", "--timeout", "0.5", write(tmp_path / "a.jsonl", text), broker_url=fleet.broker_url)
    assert json.loads(done.stdout)["outcome"] == "timeout"


def test_without_a_broker_a_fleet_is_started_and_stopped(tmp_path: Path) -> None:
    text = tmp_path / "a.lean"
    text.write_text("theorem a : True := True.intro")
    done = check(text)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "proved"


# -- what a user may get wrong -------------------------------------------------------------------------------


def test_everything_wrong_with_the_input_is_said_at_once_and_nothing_is_enqueued(
    valkey: Valkey, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b'{"id": "1", "code": "x"}\n{oops\n{"id": "1", "code": "x"}\n{"id": "2", "code": "\\u0000"}\n')
    binary = tmp_path / "binary.lean"
    binary.write_bytes(b"\xff\xfe")
    done = check(lines, binary, tmp_path / "missing.lean", tmp_path, broker_url=valkey.url, LEANFLEET_QUEUE="unused")
    assert done.returncode == 2
    assert done.stdout == ""
    problems = done.stderr.splitlines()
    assert problems[-1] == "Nothing was checked."
    for problem, words in zip(
        problems,
        (
            f"error: {lines}:2: is not JSON",
            f"error: {lines}:3: the id '1' was used before, in {lines}:1",
            f"error: {lines}:4: control character U+0000",
            f"error: {binary}:1: is not UTF-8",
            f"error: {tmp_path}/missing.lean: no such file",
            f"error: {tmp_path}: is a folder",
        ),
        strict=False,
    ):
        assert problem.startswith(words)
    assert len(problems) == 7
    with Responder(url=valkey.url, queue="unused") as responder:
        assert responder.deliveries == []


def test_a_thousand_wrong_lines_do_not_flood_the_terminal(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text("oops\n" * 1000)
    done = check(lines)
    assert len(done.stderr.splitlines()) == 102
    assert "error: and 900 more" in done.stderr


def test_a_broker_that_is_down_is_said_after_a_few_tries(tmp_path: Path) -> None:
    text = tmp_path / "a.lean"
    text.write_text("theorem a : True := True.intro")
    url = f"redis://user:secret@127.0.0.1:{claim(None, option='')}/0"
    done = check(text, broker_url=url, LEANFLEET_CONNECT_ATTEMPTS="2")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "trying again (1 of 2)" in done.stderr
    assert "gave up after 2 tries" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        ((), {}, "Missing argument"),
        (("--memory", "much", "a.lean"), {}, "'much' is no size"),
        (("--timeout", "0", "a.lean"), {}, "--timeout"),
        (("--nonsense", "a.lean"), {}, "--nonsense"),
        (("a.lean",), {"LEANFLEET_TIMEOUT_SECONDS": "soon"}, "impossible setting"),
        (("a.lean",), {"LEANFLEET_BROKER_URL": "http://x"}, "no broker of this kind"),
        (("a.lean",), {"LEANFLEET_CONFIG": "/does/not/exist.toml"}, "cannot read the settings file"),
    ],
)
def test_wrong_use_exits_with_two_and_a_word(
    arguments: tuple[str, ...], environ: dict[str, str], words: str, tmp_path: Path
) -> None:
    text = tmp_path / "a.lean"
    text.write_text("theorem a : True := True.intro")
    done = check(*(text if each == "a.lean" else each for each in arguments), **environ)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# -- what happens to a running check -------------------------------------------------------------------------


def start(*arguments: object, broker_url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [LEANFLEET, "check", *map(str, arguments)],
        env={**ENVIRON, "LEANFLEET_BROKER_URL": broker_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_ends_it_and_withdraws_what_was_enqueued(valkey: Valkey, tmp_path: Path) -> None:
    texts = write(tmp_path / "a.jsonl", *({"id": str(n), "code": "theorem a : True := True.intro"} for n in range(20)))
    with Responder(url=valkey.url, answer=lambda _: None) as responder:
        process = start(texts, broker_url=valkey.url)
        try:
            wait_until(lambda: len(responder.deliveries) == 20, "all are enqueued")
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=DEADLINE_SECONDS)
        finally:
            process.kill()
            process.wait()
    assert (output, errors, process.returncode) == ("", "Interrupted: 0 of 20 were checked.\n", 130)


def test_a_broker_that_dies_in_the_middle_costs_only_time(tmp_path: Path) -> None:
    texts = write(tmp_path / "a.jsonl", *({"id": str(n), "code": f"#eval {n}"} for n in range(50)))
    with Valkey(tmp_path / "valkey") as broker:
        process = start(texts, broker_url=broker.url)
        try:
            wait_until(lambda: _waiting(broker) == 50, "all are enqueued")
            broker.kill()
            broker.start()
            with Responder(url=broker.url):
                output, errors = process.communicate(timeout=DEADLINE_SECONDS)
        finally:
            process.kill()
            process.wait()
    assert len(output.splitlines()) == 50
    assert process.returncode == 0
    assert "works again" in errors


def _waiting(broker: Valkey) -> int:
    import redis  # noqa: PLC0415 - for this one look

    with redis.Redis.from_url(broker.url) as server:
        return int(server.llen("leanfleet"))


def test_output_that_nobody_reads_any_more_ends_it_quietly(valkey: Valkey, tmp_path: Path) -> None:
    # More than a pipe holds: it cannot have written everything before nobody reads.
    texts = write(tmp_path / "a.jsonl", *({"id": f"{n:01000}", "code": f"#eval {n}"} for n in range(200)))
    with Responder(url=valkey.url):
        process = start("--json", texts, broker_url=valkey.url)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        try:
            errors = process.stderr.read()
            assert process.wait(DEADLINE_SECONDS) != 0
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_a_terminal_sees_a_bar_and_no_control_characters_of_others(valkey: Valkey, tmp_path: Path) -> None:
    texts = write(tmp_path / "a.jsonl", {"id": "\x1b[31mred", "code": "#eval 1"})
    ours, theirs = pty.openpty()
    with Responder(url=valkey.url):
        process = subprocess.Popen(
            [LEANFLEET, "check", str(texts)],
            env={**ENVIRON, "LEANFLEET_BROKER_URL": valkey.url, "TERM": "xterm", "COLUMNS": "100"},
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while chunk := _read(ours):
                shown += chunk
            process.wait(DEADLINE_SECONDS)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
    assert b"checking" in shown
    assert b"\x1b[31mred" not in shown
    assert "�[31mred".encode() in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says EIO when the last writer is gone
        return b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [("check", "{file}", "--json"), ("check", "{file}")])
def test_output_that_has_no_room_is_said(arguments: tuple[str, ...], valkey: Valkey, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", TEXTS[0])
    environ = {**ENVIRON, "LEANFLEET_BROKER_URL": valkey.url, "LEANFLEET_QUEUE": "full"}
    with Responder(url=valkey.url, queue="full"), Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [LEANFLEET, *(each.format(file=file) for each in arguments)],
            env=environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    assert done.stderr.splitlines()[-1] == "error: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
