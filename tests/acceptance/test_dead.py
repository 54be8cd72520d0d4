"""`leanfleet dead`, on letters as workers write them."""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import redis

from tasks.redelivery.dead import DeadLetter, bury, dead_key, unreadable
from tasks.stack.valkey import Valkey
from tests.machines import worker_environ

QUEUE = f"dead-{uuid.uuid4().hex[:8]}"
POISON = DeadLetter(
    id="1a",
    at=time.time(),
    reason="the REPL died\nof it",
    kind="run_code",
    label="poison",
    arguments={"code": "poison"},
)
OTHER = DeadLetter(
    id="1b", at=time.time() - 60, reason="as before", kind="run_code", label="b", arguments={"code": "b"}
)
JUNK = unreadable("2c", b"junk", "not a message")


@pytest.fixture(autouse=True)
def letters(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client, client.pipeline() as pipeline:
        pipeline.delete(dead_key(QUEUE), QUEUE)
        for letter in (OTHER, POISON, JUNK):
            bury(pipeline, QUEUE, letter)
        pipeline.execute()


def dead(*arguments: str, valkey: Valkey, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leanfleet", "dead", *arguments]
    environ = worker_environ(valkey.url, QUEUE)
    return subprocess.run(command, env=environ, cwd=folder, text=True, capture_output=True, timeout=120, check=False)


def test_they_are_listed_newest_first(valkey: Valkey, tmp_path: Path) -> None:
    result = dead("list", "--json", valkey=valkey, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["2c", "1a", "1b"]
    words = dead("list", valkey=valkey, folder=tmp_path).stdout.splitlines()
    assert words[1].startswith("1a  ")
    assert words[1].endswith("run_code  poison  (the REPL died)")


def test_one_that_is_replayed_is_in_the_queue_and_dead_no_more(valkey: Valkey, tmp_path: Path) -> None:
    result = dead("replay", "1a", valkey=valkey, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    with redis.Redis.from_url(valkey.url) as client:
        (message,) = client.lrange(QUEUE, 0, -1)
        assert client.llen(dead_key(QUEUE)) == 2
    assert json.loads(message)["headers"]["id"] == "1a"
    assert json.loads(message)["headers"]["task"] == "leanfleet.run_code"


def test_what_is_no_message_is_not_replayed(valkey: Valkey, tmp_path: Path) -> None:
    result = dead("replay", "--all", valkey=valkey, folder=tmp_path)
    assert "2c: is no message" in result.stderr
    with redis.Redis.from_url(valkey.url) as client:
        assert client.llen(QUEUE) == 2
        assert client.llen(dead_key(QUEUE)) == 1


def test_one_of_a_kind_that_this_version_does_not_know_is_left_and_the_others_are_replayed(
    valkey: Valkey, tmp_path: Path
) -> None:
    strange = DeadLetter(id="3d", at=time.time() + 60, reason="as before", kind="run_python")
    with redis.Redis.from_url(valkey.url) as client, client.pipeline() as pipeline:
        bury(pipeline, QUEUE, strange)
        pipeline.execute()
    result = dead("replay", "--all", valkey=valkey, folder=tmp_path)
    assert result.returncode == 0
    assert "3d: this version knows no 'run_python'" in result.stderr
    assert "1b: replayed" in result.stdout


def test_dropped_ones_are_gone(valkey: Valkey, tmp_path: Path) -> None:
    assert dead("drop", "1", valkey=valkey, folder=tmp_path).returncode == 2  # two begin so
    assert dead("drop", "1b", "2", valkey=valkey, folder=tmp_path).returncode == 0
    with redis.Redis.from_url(valkey.url) as client:
        assert client.llen(dead_key(QUEUE)) == 1
        assert client.llen(QUEUE) == 0


@pytest.mark.parametrize("arguments", [("drop",), ("replay",), ("drop", "nonesuch")])
def test_nothing_is_done_unless_it_is_named(arguments: tuple[str, ...], valkey: Valkey, tmp_path: Path) -> None:
    result = dead(*arguments, valkey=valkey, folder=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
