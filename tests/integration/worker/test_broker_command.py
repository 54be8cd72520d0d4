"""`leanfleet broker acl`: the file that it prints, in a real Valkey."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from producer.connection import open_redis
from tasks.stack.binaries import find_valkey
from tasks.stack.ports import HOST, claim
from tasks.stack.process import LocalProcess
from tests.waiting import DEADLINE_SECONDS


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "leanfleet", "broker", "acl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


async def test_the_printed_file_makes_a_server_that_knows_everyone_and_nobody_else(tmp_path: Path) -> None:
    done = run("--producer", "alice", "--worker", "fleet", "--operator", "ops", "--queue", "proofs", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    passwords = dict(re.findall(r"^password of (\w+)\s+(\S+)$", done.stderr, re.MULTILINE))
    assert sorted(passwords) == ["alice", "fleet", "ops"]
    assert not any(password in done.stdout for password in passwords.values())
    (tmp_path / "users.acl").write_text(done.stdout)
    port = claim(None, option="--broker-port")
    server = LocalProcess(
        name="a Valkey with users",
        command=[str(find_valkey()), "--port", str(port), "--bind", HOST, "--aclfile", str(tmp_path / "users.acl")],
        log_path=tmp_path / "log",
        directory=tmp_path,
    )
    server.start()
    try:
        server.wait_until(lambda: "Ready to accept connections" in server.log(), timeout_seconds=DEADLINE_SECONDS)
        for name, password in passwords.items():
            client = open_redis(f"redis://{name}:{password}@{HOST}:{port}/0")
            assert await client.ping()
            await client.aclose()
        client = open_redis(f"redis://{HOST}:{port}/0")
        with pytest.raises(redis.AuthenticationError):
            await client.ping()
        await client.aclose()
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name who is to have rights"),
        (("--producer", "a", "--worker", "a"), "named twice"),
        (("--producer", "a b"), "rights need a user of letters"),
        (("--producer", "*"), "rights need a user of letters"),
        (("--producer", "a", "--queue", "x:y"), "rights need a queue of letters"),
        (("--producer", "default"), "switched off"),
    ],
)
def test_names_that_rights_cannot_be_given_to_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
