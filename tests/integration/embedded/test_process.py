"""The process: framing, streams, signals, and its end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.embedded.repl import Repl
from tests.waiting import wait_until
from workers.embedded.build import CorePaths, ensure_core


def test_the_end_of_the_input_ends_it_cleanly(repl: Repl) -> None:
    repl.ask(cmd="")
    assert repl.finish() == (0, b"")


def test_a_last_request_without_a_blank_line_is_answered(repl: Repl) -> None:
    repl.send(b'{"cmd": "#check Nat"}')
    output, _ = repl.process.communicate(timeout=120)
    assert json.loads(output)["env"] == 0
    assert repl.process.returncode == 0


def test_requests_may_be_sent_ahead(repl: Repl) -> None:
    repl.send(b'{"cmd": "def a : Nat := 1"}\n\n{"cmd": "def b : Nat := a", "env": 0}\n\n')
    assert repl.receive() == {"env": 0}
    assert repl.receive() == {"env": 1}


def test_a_request_may_run_over_several_lines(repl: Repl) -> None:
    repl.send(b'{"cmd":\n "def a : Nat := 1",\r\n "gc": true}\n\n')
    assert repl.receive() == {"env": 0}


def test_a_raw_line_end_inside_a_string_is_dropped_as_in_the_community_repl(repl: Repl) -> None:
    repl.send(b'{"cmd": "example : True := by\ntrivial"}\n\n')
    assert repl.receive()["messages"][0]["data"] == "Unknown identifier `bytrivial`"


def test_more_blank_lines_than_one_are_taken_no_notice_of(repl: Repl) -> None:
    repl.send(b'\n\n\n{"cmd": ""}\n\n\n \n\n{"cmd": ""}\n\n')
    assert repl.receive() == {"env": 0}
    assert repl.receive() == {"env": 1}


def test_comments_have_no_reply(repl: Repl) -> None:
    repl.send(b'# a comment\n\n-- another\n\n{"cmd": ""}\n\n')
    assert repl.receive() == {"env": 0}


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense",  # not JSON
        b"{",
        b'"a string"',
        b"[]",
        b"{}",  # no shape
        b'{"cmd": 1}',  # a wrong type
        b'{"cmd": "", "env": "0"}',
        b'{"cmd": "", "env": -1}',
        b'{"cmd": "", "env": true}',
        b'{"tactic": "rfl"}',
        b'{"tactic": "rfl", "proofState": 1.5}',
        b'{"forget": {"other": [1]}}',
        b'\xff\xfe{"cmd": ""}',  # not UTF-8
        b"[" * 100_000,  # nested too deeply for any parser
    ],
)
def test_what_is_no_request_is_answered_with_a_message(repl: Repl, request_: bytes) -> None:
    repl.send(request_ + b"\n\n")
    assert repl.receive().keys() == {"message"}
    assert repl.ask(cmd="") == {"env": 0}


def test_fields_that_are_null_or_unknown_are_not_looked_at(repl: Repl) -> None:
    assert repl.ask(cmd="", env=None, allTactics=None, colour="red") == {"env": 0}


@pytest.mark.parametrize("text", ["a\0b", "\udc80", "😀", "\u2028", "\\"])
def test_any_text_can_be_sent(repl: Repl, text: str) -> None:
    reply = repl.ask(cmd=f"-- {text}\n#check Nat\n/- {text} -/")
    assert [m["pos"]["line"] for m in reply["messages"] if m["severity"] == "info"] == [2]


def test_a_reply_of_megabytes_arrives_whole(repl: Repl) -> None:
    reply = repl.ask(cmd="#check Nat\n" * 5000)
    assert len(reply["messages"]) == 5000


def test_a_request_of_megabytes_is_read(repl: Repl) -> None:
    assert repl.ask(cmd=f"/- {'x' * 5_000_000} -/ def a : Nat := 1") == {"env": 0}


def test_an_interrupt_ends_it_in_the_middle_of_a_command(repl: Repl) -> None:
    repl.ask(cmd="")
    repl.send(b'{"cmd": "theorem t : True := by repeat (first | skip)"}\n\n')
    repl.process.send_signal(signal.SIGINT)
    assert repl.process.wait(timeout=120) == -signal.SIGINT


def test_lean_code_reads_nothing_from_the_protocol_and_prints_nothing_into_it() -> None:
    with Repl() as repl:
        repl.ask(cmd="")
        descriptors = Path(f"/proc/{repl.process.pid}/fd")
        if not descriptors.exists():
            pytest.skip("this system has no /proc")
        assert (descriptors / "0").readlink() == Path(os.devnull)
        assert (descriptors / "1").readlink() == (descriptors / "2").readlink()


_PARENT = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-m", "workers.embedded"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
)
child.stdin.write(b'{"cmd": ""}\\n\\n')
child.stdin.flush()
child.stdout.readline()
child.stdin.write(b'{"cmd": "theorem t : True := by repeat (first | skip)"}\\n\\n')
child.stdin.flush()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_it_dies_with_its_parent_even_when_busy() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()

    def gone() -> bool:
        try:
            return "\nState:\tZ" in Path(f"/proc/{child}/status").read_text(encoding="ascii")
        except OSError:
            return True

    wait_until(gone, "the REPL outlived its parent")


def test_a_parent_that_is_gone_already_ends_it_at_once() -> None:
    with Repl("--parent", "1" if os.getpid() != 1 else "2") as repl:
        assert repl.process.wait(timeout=120) == 1


@pytest.mark.parametrize("arguments", [["--bogus", "1"], ["--parent"], ["--parent", "me"]])
def test_a_wrong_command_line_is_explained(arguments: list[str]) -> None:
    with Repl(*arguments) as repl:
        status, errors = repl.finish()
    assert status == 1
    assert errors.startswith(b"embedded Lean: ")
    assert b"Traceback" not in errors


def test_a_library_that_cannot_be_loaded_is_explained(tmp_path: Path) -> None:
    library = tmp_path / "libleanshared.so"
    library.write_bytes(b"not a library")
    for path in (library, tmp_path / "missing"):
        with Repl("--library", str(path), "--core", str(tmp_path)) as repl:
            status, errors = repl.finish()
        assert status == 1
        assert b"Traceback" not in errors


def core_without_image(core: CorePaths, folder: Path) -> Path:
    """A folder with the compiled core's modules, and nothing else yet."""
    folder.mkdir()
    (folder / "Init.olean").symlink_to(core.lean_path / "Init.olean")
    (folder / "Init").symlink_to(core.lean_path / "Init")
    return folder


def test_two_processes_started_without_an_image_make_the_same_one(tmp_path: Path) -> None:
    """A pickle names addresses in the image: it works in any process only if images do not differ."""
    core = ensure_core()
    folders = [core_without_image(core, tmp_path / name) for name in ("one", "another")]
    pickle = tmp_path / "pickle"
    with Repl("--library", str(core.library), "--core", str(folders[0])) as repl:
        repl.ask(cmd="def five : Nat := 5")
        assert repl.ask(env=0, pickleTo=str(pickle)) == {"env": 0}
    with Repl("--library", str(core.library), "--core", str(folders[1])) as repl:
        assert repl.ask(unpickleEnvFrom=str(pickle)) == {"env": 0}
        assert repl.ask(cmd="example : five = 5 := rfl", env=0) == {"env": 1}


def test_without_a_writable_folder_it_works_without_an_image(tmp_path: Path) -> None:
    core = ensure_core()
    folder = core_without_image(core, tmp_path / "core")
    (folder / "base-1.image").mkdir()  # in the way of the file; root may write to any folder
    with Repl("--library", str(core.library), "--core", str(folder)) as repl:
        repl.ask(cmd="def five : Nat := 5")
        assert repl.ask(env=0, pickleTo=str(tmp_path / "pickle")) == {"env": 0}
        assert repl.ask(unpickleEnvFrom=str(tmp_path / "pickle")) == {"env": 1}
        assert repl.ask(cmd="example : five = 5 := rfl", env=1) == {"env": 2}


def test_a_damaged_image_is_made_again(tmp_path: Path) -> None:
    core = ensure_core()
    folder = core_without_image(core, tmp_path / "core")
    (folder / "base-1.image").write_bytes(b"half an image")
    with Repl("--library", str(core.library), "--core", str(folder)) as repl:
        assert repl.ask(cmd="example : 1 + 1 = 2 := rfl") == {"env": 0}
    assert (folder / "base-1.image").stat().st_size > 100_000
