"""`leanfleet batch`, as a user runs it: real workers, real Lean."""

import csv
import json
import os
import pty
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import leanfleet
from producer.settings import Settings
from tasks.stack.fleet import Fleet, FleetOptions
from tests.acceptance.test_check import ENVIRON, LEANFLEET, TEXTS, VERDICTS, write
from tests.waiting import DEADLINE_SECONDS


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(Settings(), FleetOptions(machines=1, s3=False, flower=False)) as running:
        yield running


class Batch:
    """The command, against a store of its own: batches are named by their content."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.environ = {**ENVIRON, **fleet.environ, "LEANFLEET_STORE_URL": (folder / "store").as_uri()}
        self.settings = leanfleet.load_settings(environ=self.environ)

    def __call__(
        self,
        command: str,
        *arguments: object,
        exit_code: int = 0,
        environ: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [LEANFLEET, "batch", command, *map(str, arguments)],
            env=self.environ | (environ or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def batch(fleet: Fleet, tmp_path: Path) -> Batch:
    return Batch(fleet, tmp_path)


def test_a_batch_gives_the_verdicts_that_check_gives(batch: Batch, tmp_path: Path) -> None:
    submitted = batch("submit", write(tmp_path / "texts.jsonl", *TEXTS), "--name", "all of it")
    batch_id = submitted.stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{12}", batch_id)
    assert f"9 proofs are enqueued as batch {batch_id}" in submitted.stderr
    watched = batch("watch", batch_id, exit_code=1)
    assert f"batch {batch_id} (all of it): finished, 9 of 9 answered" in watched.stdout
    assert "verdicts: 1 error, 5 not proved, 3 proved" in watched.stdout
    results = {line["id"]: line for line in map(json.loads, batch("results", batch_id, "--json").stdout.splitlines())}
    for name, (verdict, outcome, reason) in VERDICTS.items():
        found = results.pop(name)
        assert (found["verdict"], found["outcome"]) == (verdict, outcome), found
        assert any(each.startswith(reason) for each in found["reasons"]) if reason else found["reasons"] == []
    assert results == {}


def test_a_batch_is_run_again_with_more_time_and_compared(batch: Batch, tmp_path: Path) -> None:
    texts: list[dict[str, Any]] = [
        {"id": "good", "code": "theorem a : True := True.intro"},
        {"id": "slow", "code": "theorem h : True := by repeat (first | skip)", "timeout_seconds": 0.5},
    ]
    batch_id = batch("submit", write(tmp_path / "texts.jsonl", *texts), "--name", "[red] or [/] not").stdout.strip()
    batch("watch", batch_id, exit_code=1)
    again = batch(
        "rerun", batch_id, "--only", "timeout", "--timeout", "0.7", "--memory", "1GiB", "--watch", exit_code=1
    )
    assert "attempt 2: finished, 1 of 1 answered, timeout 0.7 s, memory 1 GiB" in again.stdout
    assert batch("diff", f"{batch_id}@1", batch_id).stdout == "0 changed, 2 did not\n"
    other = [texts[0] | {"code": "theorem a : False := True.intro"}, texts[1] | {"id": "new", "timeout_seconds": 0.1}]
    other_id = batch("submit", write(tmp_path / "other.jsonl", *other), "--watch", exit_code=1).stdout.split()[0]
    changes = batch("diff", batch_id, other_id, exit_code=1).stdout.splitlines()
    assert changes == [
        "good: proved (ok) → not_proved (lean_error)",
        f"slow: only in {batch_id}",
        f"new: only in {other_id}",
        "1 changed, 0 did not",
    ]
    listed = batch("list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["id", other_id, batch_id]
    assert listed[2].rstrip().endswith(" [red] or [/] not")
    nothing = batch("rerun", batch_id, "--only", "out_of_memory", exit_code=2)
    assert nothing.stderr.startswith("error: there is nothing to run again")
    assert "no outcome" in batch("rerun", batch_id, "--only", "tired", exit_code=2).stderr


def test_results_are_written_in_every_kind_of_file(batch: Batch, tmp_path: Path) -> None:
    lean = tmp_path / "one.lean"
    lean.write_text("theorem a : True := True.intro")
    batch_id = batch("submit", lean, "--watch").stdout.split()[0]
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        assert batch("results", batch_id, "-o", tmp_path / name).stdout == ""
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["proved"]
    assert json.loads((tmp_path / "out.jsonl").read_text())["id"] == str(lean)
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist()[0]["verdict"] == "proved"
    assert next(csv.DictReader(batch("results", batch_id).stdout.splitlines()))["id"] == str(lean)
    assert "can be written as" in batch("results", batch_id, "-o", tmp_path / "out.xlsx", exit_code=2).stderr


def test_a_dataset_is_submitted_by_its_columns(batch: Batch, tmp_path: Path) -> None:
    path = tmp_path / "problems.csv"
    path.write_text(
        "problem,formal_statement,answer,split\n"
        'swap,"theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry","constructor\n· exact h.2\n· exact h.1",x\n'
        "term,theorem term (p : Prop) (h : p) : p :=,h,x\n",
        encoding="utf-8",
    )
    columns = "id=problem,statement=formal_statement,proof=answer"
    done = batch("submit", path, "--columns", columns, "--watch")
    assert "verdicts: 2 proved" in done.stdout


def test_one_bad_line_is_named_and_nothing_is_enqueued_unless_it_is_skipped(batch: Batch, tmp_path: Path) -> None:
    path = write(tmp_path / "texts.jsonl", TEXTS[0], {"id": "no code"}, TEXTS[1])
    refused = batch("submit", path, exit_code=2)
    assert refused.stdout == ""
    assert f"error: {path}:2: Object missing required field `code`" in refused.stderr
    assert "Nothing was enqueued; --skip-invalid" in refused.stderr
    assert batch("list").stdout.splitlines()[1:] == []
    skipped = batch("submit", path, "--skip-invalid", "--watch")
    assert f"warning: {path}:2:" in skipped.stderr
    assert "2 of 2 answered" in skipped.stdout
    assert "already" in batch("submit", path, "--skip-invalid").stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        (("status", "abcdef"), {}, "there is no batch 'abcdef'"),
        (("rerun", "abcdef"), {}, "there is no batch 'abcdef'"),
        (("watch", "abcdef"), {}, "there is no batch 'abcdef'"),
        (("cancel", "abcdef"), {}, "there is no batch 'abcdef'"),
        (("diff", "abcdef", "abcdef@x"), {}, "ID@N"),
        (("list",), {"LEANFLEET_STORE_URL": ""}, "no store is configured"),
        (("list",), {"LEANFLEET_BROKER_URL": ""}, "no broker is known"),
        (("status", "abcdef"), {"LEANFLEET_STORE_URL": "ftp://x"}, "is no store"),
        (("submit", "/does/not/exist.jsonl"), {}, "no such file"),
        (("submit", "x.jsonl", "--columns", "nonsense"), {}, "FIELD=COLUMN"),
        (("rerun", "abcdef", "--memory", "much"), {}, "is no size"),
        (("rm",), {}, "by their ids, or by an age"),
        (("rm", "abcdef"), {}, "there is no batch 'abcdef'"),
        (("rm", "--older-than", "30"), {}, "is no age: write 30d"),
        (("rm", "--older-than", "-3d"), {}, "must be positive"),
    ],
)
def test_wrong_use_exits_with_two_and_a_word(
    batch: Batch, arguments: tuple[str, ...], environ: dict[str, str], words: str
) -> None:
    assert words in " ".join(batch(arguments[0], *arguments[1:], exit_code=2, environ=environ).stderr.split())


def test_a_running_batch_is_cancelled_and_not_run_again_before(batch: Batch, tmp_path: Path) -> None:
    queue = f"nobody-{uuid.uuid4().hex}"
    batch_id = batch(
        "submit", write(tmp_path / "texts.jsonl", *TEXTS), environ={"LEANFLEET_QUEUE": queue}
    ).stdout.strip()
    assert "running, 0 of 9 answered" in batch("status", batch_id).stdout
    assert json.loads(batch("status", batch_id, "--json").stdout)["unanswered"] == 9
    half = batch("results", batch_id, "--json")
    assert (half.stdout, half.stderr) == ("", "9 of 9 proofs have no answer yet.\n")
    assert "still running" in batch("rerun", batch_id, exit_code=2).stderr
    assert "is running: wait for it" in batch("rm", batch_id, exit_code=2).stderr
    assert f"Batch {batch_id} is running, and stays." in batch("rm", "--older-than", "0s").stderr
    assert "0 of 9 proofs were answered" in batch("cancel", batch_id).stderr
    assert "is not running: it is cancelled" in batch("cancel", batch_id, exit_code=2).stderr
    assert "9 have no answer: `leanfleet batch rerun" in batch("status", batch_id).stdout
    assert "verdicts: 1 error, 5 not proved, 3 proved" in batch("rerun", batch_id, "--watch", exit_code=1).stdout


def test_a_batch_is_deleted_when_it_is_old_enough(batch: Batch, tmp_path: Path) -> None:
    batch_id = batch("submit", write(tmp_path / "texts.jsonl", *TEXTS)).stdout.strip()
    batch("watch", batch_id, exit_code=1)
    assert batch("rm", "--older-than", "1d").stdout == ""
    told = batch("rm", batch_id, "--dry-run")
    assert (told.stdout, "1 batch would be deleted" in told.stderr) == (f"{batch_id}\n", True)
    assert batch_id in batch("list").stdout
    assert batch("rm", "--older-than", "0s").stdout == f"{batch_id}\n"
    assert batch_id not in batch("list").stdout


def test_a_terminal_sees_a_bar(batch: Batch, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [LEANFLEET, "batch", "submit", str(write(tmp_path / "texts.jsonl", *TEXTS)), "--watch"],
        env=batch.environ | {"TERM": "xterm", "COLUMNS": "120"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(DEADLINE_SECONDS) == 1
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"9/9" in shown
    assert b"9 of 9 answered" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says EIO when the last writer is gone
        return b""


async def test_a_program_does_the_same_with_or_without_an_event_loop(batch: Batch) -> None:
    texts = [{"id": "a", "code": "theorem a : True := True.intro"}, {"id": "b", "code": "theorem b : False := x"}]
    async with leanfleet.connect(settings=batch.settings) as fleet:
        submission = await fleet.batches.submit(texts, name="mine")
        statuses = [status async for status in fleet.batches.watch(submission.id, every_seconds=0.05)]
        assert statuses[-1].verdicts == {"not_proved": 1, "proved": 1}


def test_a_program_without_an_event_loop_has_batches_too(batch: Batch) -> None:
    texts = [{"id": "a", "code": "theorem a : True := True.intro"}, {"id": "b", "code": "theorem b : False := x"}]
    with leanfleet.connect_sync(settings=batch.settings) as fleet:
        submission = fleet.batches.submit(texts)
        statuses = list(fleet.batches.watch(submission.id, every_seconds=0.05))
        assert statuses[-1].answered == 2
        assert [result.verdict for result in fleet.batches.results(submission.id)] == ["proved", "not_proved"]
        assert [listed.id for listed in fleet.batches.all()] == [submission.id]
        assert fleet.batches.rerun(submission.id, everything=True) == 2
        assert fleet.batches.diff(submission.id, submission.id, before_attempt=1).changed == ()
