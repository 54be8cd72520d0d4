import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import psutil
import pytest
import redis
from botocore.exceptions import ClientError

from producer.settings import Settings
from tasks.stack import binaries, ports
from tasks.stack.errors import MissingServerError, PortInUseError, StackError
from tasks.stack.fleet import Fleet, FleetOptions
from tasks.stack.ports import HOST, free_port, free_ports
from tasks.stack.process import LocalProcess
from tasks.stack.seaweed import Seaweed
from tasks.stack.valkey import Valkey
from tests.machines import ROOT, is_gone
from tests.waiting import DEADLINE_SECONDS, wait_until


def test_valkey_is_fit_to_be_a_broker(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("bind") == {"bind": HOST}


def test_what_valkey_held_is_there_after_it_was_killed(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "yes")
            wait_until(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0, "it is on the disk")
        server.kill()
        assert not server.running
        server.start()
        server.wait_ready()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"


def test_a_store_that_is_started_again_keeps_its_secret_and_what_it_holds(tmp_path: Path) -> None:
    with Seaweed(tmp_path / "store") as server:
        with contextlib.closing(server.client()) as client:
            client.put_object(Bucket=server.bucket, Key="kept", Body=b"yes")
        known = server.environ
    with Seaweed(tmp_path / "store", port=server.port) as again:
        assert again.environ == known
        with contextlib.closing(again.client()) as client:
            assert client.get_object(Bucket=again.bucket, Key="kept")["Body"].read() == b"yes"
    assert (tmp_path / "store" / "secret").stat().st_mode & 0o077 == 0
    with Seaweed(tmp_path / "another") as other:
        assert other.environ != known


def test_a_server_that_is_left_is_gone(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        process = psutil.Process(server.pid)
    assert not process.is_running()
    server.start()
    server.wait_ready()
    assert server.stop(grace_seconds=DEADLINE_SECONDS) == 0  # however long the disk takes for its last words


def test_a_port_in_use_is_named_with_the_option_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} on 127.0.0.1 is in use.*--broker-port"):
            Valkey(tmp_path, port=port)


def test_free_ports_differ() -> None:
    assert len(set(free_ports(50))) == 50


def test_servers_that_are_started_together_choose_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them listens yet when the next one chooses."""
    monkeypatch.setattr(ports, "_RANGE", range(20_000, 20_400))
    assert len({free_port() for _ in range(60)}) == 60


def test_a_server_that_ends_at_its_start_shows_its_log(tmp_path: Path) -> None:
    process = LocalProcess(
        name="a server",
        command=[sys.executable, "-c", "import sys; sys.exit('the disk is made of cheese')"],
        log_path=tmp_path / "log",
    )
    process.start()
    with pytest.raises(StackError, match=r"a server ended at its start \(exit code 1\):\nthe disk is made of cheese"):
        process.wait_until(lambda: False, timeout_seconds=30)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    process = LocalProcess(name="a server", command=["/nonexistent/program"], log_path=tmp_path / "log")
    process.start()
    with pytest.raises(StackError, match="cannot run /nonexistent/program: No such file"):
        process.wait_until(lambda: False, timeout_seconds=30)


def test_a_server_that_ignores_requests_to_end_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    process = LocalProcess(name="a server", command=[sys.executable, "-c", deaf], log_path=tmp_path / "log")
    process.start()
    process.wait_until(lambda: "up" in process.log(), timeout_seconds=DEADLINE_SECONDS)
    assert process.stop(grace_seconds=0.1) == -signal.SIGKILL


def test_a_missing_wheel_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: "/nonexistent")
    with pytest.raises(MissingServerError, match=r"leanfleet\[local\]"):
        binaries.find_seaweed()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_servers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tasks.stack.valkey import Valkey\n"
        "with Valkey(Path(sys.argv[1])) as server:\n"
        "    print(server.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        os.killpg(parent.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(child), "the server is gone, too")


def test_the_s3_server_writes_a_key_once_and_refuses_wrong_secrets(s3: Seaweed) -> None:
    client = s3.client()
    try:
        client.put_object(Bucket=s3.bucket, Key="once", Body=b"first", IfNoneMatch="*")
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket=s3.bucket, Key="once", Body=b"second", IfNoneMatch="*")
        assert client.get_object(Bucket=s3.bucket, Key="once")["Body"].read() == b"first"
    finally:
        client.close()


def test_the_s3_server_starts_in_a_shell_that_has_the_credentials_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = Seaweed(tmp_path / "earlier").environ
    for name, value in earlier.items():
        monkeypatch.setenv(name, value)
    with Seaweed(tmp_path / "server") as server:
        assert server.secret_key != earlier["AWS_SECRET_ACCESS_KEY"]


def test_what_a_killed_fleet_left_is_deleted_by_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    options = FleetOptions(machines=1, s3=False, flower=False)
    program = """
import os, signal
from producer.settings import Settings
from tasks.stack.fleet import Fleet, FleetOptions
Fleet(Settings(), FleetOptions(machines=1, s3=False, flower=False))
os.kill(os.getpid(), signal.SIGKILL)
"""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    killed = subprocess.run([sys.executable, "-c", program], env=environ, cwd=ROOT, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("leanfleet-fleet-*")
    fleet = Fleet(Settings(), options)
    assert list(tmp_path.glob("leanfleet-fleet-*")) == [fleet.directory] != [left]
    # One that lives is left alone.
    another = Fleet(Settings(), options)
    assert fleet.directory.is_dir()
    for each in (fleet, another):
        each._exits.close()
        each._remove_directory()
