"""Hostile processes under the launcher of the REPLs: what works without a fence does not work inside of one."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.isolation.arena import LIMITS, MIB, Arena, kill_all, survivors, tasks, until
from workers.launch import Launch


def test_the_workers_environment_cannot_be_read(arena: Arena) -> None:
    assert arena.bare("environments", arena.worker.secret) == 1
    arena.need("other processes")
    assert arena.fenced("environments", arena.worker.secret) == 0


def test_the_workers_memory_cannot_be_read(arena: Arena) -> None:
    assert arena.bare("memory_of", arena.worker.pid) is True
    arena.need("other processes")
    assert arena.fenced("memory_of", arena.worker.pid) is False


def test_the_worker_cannot_be_traced(arena: Arena) -> None:
    assert arena.bare("trace", arena.worker.pid) is True
    arena.need("other processes")
    assert arena.fenced("trace", arena.worker.pid) is False


def test_the_worker_cannot_be_signalled(arena: Arena) -> None:
    victim = arena.sacrifice()
    assert arena.bare("terminate", victim.marker, victim.pid) is True
    assert not victim.answers()
    victim.close()
    arena.need("other processes")
    assert arena.fenced("terminate", arena.worker.marker, arena.worker.pid) is False


def test_the_kernel_is_not_made_to_signal_the_worker(arena: Arena) -> None:
    victim = arena.sacrifice()
    assert arena.bare("own_signal", victim.pid) is True
    assert not victim.answers()
    victim.close()
    arena.need("other processes")
    arena.fenced("own_signal", arena.worker.pid)  # whether the call or its effect is refused
    assert arena.worker.answers()


@pytest.mark.parametrize("attack", ["cripple", "slow_down"])
def test_the_worker_cannot_be_slowed_or_limited(arena: Arena, attack: str) -> None:
    victim = arena.sacrifice()
    assert arena.bare(attack, victim.pid) is True
    victim.close()
    arena.need("other processes")
    assert arena.fenced(attack, arena.worker.pid) is False


def test_nothing_is_inherited_but_three_pipes(arena: Arena) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)  # noqa: FBT003 - the standard library's own
    try:
        with subprocess.Popen(
            (arena.python, "-I", "-S", str(Path(__file__).with_name("attacks.py")), "descriptors"),
            stdout=subprocess.PIPE,
            close_fds=False,
        ) as careless:
            assert b"pipe" in careless.communicate()[0]
        assert arena.fenced("descriptors") == []
    finally:
        os.close(reader)
        os.close(writer)


def test_a_home_directory_cannot_be_read(arena: Arena) -> None:
    secret = arena.outside / "credentials"
    secret.write_text("secret")
    secret.chmod(0o644)
    assert arena.bare("read", secret) == "secret"
    arena.need("private files")
    assert arena.fenced("read", secret) is None


def test_nothing_outside_can_be_written_or_removed(arena: Arena) -> None:
    victim = arena.outside / "victim"
    victim.write_text("precious")
    victim.chmod(0o666)
    assert arena.bare("write", arena.outside / "new") is True
    assert arena.bare("remove", arena.outside / "new") is True
    arena.need("read-only files")
    assert arena.fenced("write", victim) is False
    assert arena.fenced("write", arena.outside / "new") is False
    assert arena.fenced("remove", victim) is False
    assert victim.read_text() == "precious"


def test_the_system_cannot_be_written_to(arena: Arena) -> None:
    arena.need("read-only files")
    for path in ("/usr/hostile", "/etc/hostile", "/hostile", "/dev/hostile", "/proc/sys/kernel/hostname"):
        assert arena.fenced("write", path) is False
    assert not Path("/usr/hostile").exists()


def test_the_private_folder_can_be_written(arena: Arena) -> None:
    assert arena.fenced("write", arena.folder / "own") is True
    assert (arena.folder / "own").read_text() == "hostile"


def test_a_foreign_file_cannot_be_linked_into_the_private_folder(arena: Arena) -> None:
    secret = arena.outside / "secret"
    secret.write_text("secret")
    if arena.user is not None:
        os.chown(secret, arena.user, arena.user)
    assert arena.bare("link", secret, arena.folder / "bare") is True
    arena.need("read-only files")
    assert arena.fenced("link", secret, arena.folder / "fenced") is False


def test_no_connection_goes_out(arena: Arena) -> None:
    with _listeners() as ports:
        assert arena.bare("connect", ports["tcp"]) is True
        assert arena.bare("datagram", ports["udp"]) is True
        assert arena.bare("listen") is True
        arena.need("network")
        assert arena.fenced("connect", ports["tcp"]) is False
        assert arena.fenced("datagram", ports["udp"]) is False


def test_no_service_of_this_machine_is_reached_by_a_unix_socket(arena: Arena) -> None:
    """Docker's and the system bus's sockets are as good as root."""
    path = arena.outside / "service"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        abstract.bind(f"\0{path}")
        abstract.listen()
        assert arena.bare("connect_unix", path) is True
        assert arena.bare("connect_unix", f"@{path}") is True
        arena.need("network")
        assert arena.fenced("connect_unix", path) is False
        assert arena.fenced("connect_unix", f"@{path}") is False


def test_forking_without_end_ends_at_the_limit(arena: Arena) -> None:
    many = 8 * LIMITS.processes
    assert arena.bare("fork", many) == many
    arena.need("processes")
    shared = not (arena.fence.changes_user or arena.fence.bubblewrap)
    if shared:
        # Counted with all that the user runs, from what there was on this machine: a bound, but a loose one.
        many = 8 * LIMITS.processes + tasks()
    reached = arena.fenced("fork", many)
    assert isinstance(reached, int)
    assert reached < many if shared else reached <= LIMITS.processes + 2


def test_memory_is_bounded_by_the_kernel(arena: Arena) -> None:
    assert arena.bare("reserve", LIMITS.data_bytes + 64 * MIB) is True
    assert arena.bare("reserve_shared", LIMITS.address_bytes + 64 * MIB) is True
    arena.need("memory")
    assert arena.fenced("reserve", 32 * MIB) is True
    assert arena.fenced("reserve", LIMITS.data_bytes + 64 * MIB) is False
    assert arena.fenced("reserve_shared", LIMITS.address_bytes + 64 * MIB) is False


def test_no_memory_outlives_its_process(arena: Arena) -> None:
    assert arena.bare("hide_memory", MIB) == ["shmget", "memfd", "shm folder"]
    if not (arena.fence.seccomp and (arena.fence.bubblewrap or arena.fence.landlock)):
        pytest.skip("not promised here: needs the filter on system calls")
    assert arena.fenced("hide_memory", MIB) == []


def test_a_file_ends_at_the_limit(arena: Arena) -> None:
    assert arena.bare("fill", arena.folder / "bare", 64 * MIB) == 64 * MIB
    arena.need("file size")
    assert arena.fenced("fill", arena.folder / "large", 64 * MIB) == LIMITS.file_bytes


def test_temporary_files_end_at_the_limit(arena: Arena) -> None:
    """Where they are in memory, that is: a private folder on disk is watched by the pool."""
    if not arena.fence.bubblewrap:
        pytest.skip("not promised here: no temporary folder but the private one")
    written = arena.fenced("fill_folder", "/tmp", 8, 4 * MIB)  # noqa: S108 - its own
    assert isinstance(written, int)
    assert 0 < written <= LIMITS.temporary_bytes


def test_no_privilege_is_kept_or_gained(arena: Arena) -> None:
    status = arena.fenced("status")
    assert isinstance(status, dict)
    assert status["NoNewPrivs"] == "1"
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(status[name], 16) == 0
    if os.geteuid() == 0 and arena.user is None:
        assert int(status["CapBnd"], 16) == 0
    assert arena.bare("new_namespace") is True
    if arena.fence.seccomp:
        assert arena.fenced("new_namespace") is False


def test_it_runs_as_a_user_that_is_not_root(arena: Arena) -> None:
    arena.need("unprivileged user")
    status = arena.fenced("status")
    assert isinstance(status, dict)
    assert "0" not in status["Uid"].split()


def test_a_limit_cannot_be_raised_again(arena: Arena) -> None:
    assert arena.fenced("limits") == {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": LIMITS.cpu_seconds,
        "RLIMIT_FSIZE": LIMITS.file_bytes,
        "RLIMIT_NOFILE": LIMITS.open_files,
    }
    assert arena.fenced("raise_limit") is False


def test_killing_the_group_kills_whatever_it_has_become(arena: Arena) -> None:
    marker = f"{arena.worker.marker}-bare"
    try:
        assert _scattered(arena, marker, fenced=False) == 3
        assert survivors(marker), "without a fence a new session escapes: else this test shows nothing"
    finally:
        kill_all(marker)
    if not (arena.fence.seccomp or arena.fence.bubblewrap):
        pytest.skip("not promised here: needs the filter on system calls or a pid namespace")
    marker = f"{arena.worker.marker}-fenced"
    try:
        _scattered(arena, marker, fenced=True)
        assert until(lambda: not survivors(marker))
    finally:
        kill_all(marker)


def test_nothing_survives_a_worker_that_is_killed(arena: Arena) -> None:
    """Its own process dies by the parent-death signal, its namespace with it, and the rest by the worker's guard."""
    marker = f"{arena.worker.marker}-orphan"
    if arena.user is not None:
        pytest.skip("the worker's own program is beyond the reach of another user here")
    if not (arena.fence.seccomp or arena.fence.bubblewrap):
        pytest.skip("not promised here: needs the filter on system calls or a pid namespace")
    attack = (arena.python, "-I", "-S", str(Path(__file__).with_name("attacks.py")), "scatter", marker)
    launch = arena.around(Launch(command=attack))
    program = (
        "import asyncio, os, signal, sys\n"
        "from workers.child import Child\n"
        "from workers.guard import Guard\n"
        "from workers.launch import Launch\n"
        "async def work():\n"
        "    said = asyncio.get_running_loop().create_future()\n"
        f"    launch = Launch(command={launch.command!r}, restrictions={launch.restrictions!r},\n"
        f"        needs_launcher={launch.needs_launcher!r})\n"
        "    child = Child(launch, guard=Guard(), on_output=said.set_result, on_exit=print, stderr_bytes=1000)\n"
        "    os.write(1, await said)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(work())\n"
    )
    try:
        worker = subprocess.run((sys.executable, "-c", program), stdout=subprocess.PIPE, check=False, timeout=120)
        assert worker.returncode == -signal.SIGKILL
        assert worker.stdout.strip().isdigit(), "the REPL ran"
        assert until(lambda: not survivors(marker))
    finally:
        kill_all(marker)


def _scattered(arena: Arena, marker: str, *, fenced: bool) -> int:
    """Let a process scatter itself, kill its group, and return how many sessions it had made."""
    process = arena.start("scatter", marker, fenced=fenced)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.strip().isdigit(), process.stderr
        assert survivors(marker)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):  # not read to the end: who escaped holds them open
            assert pipe is not None
            pipe.close()
    return int(line)


@contextmanager
def _listeners() -> Iterator[dict[str, int]]:
    """A TCP and a UDP port on this machine's loopback that answer."""
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.1)
        stop = threading.Event()

        def echo() -> None:
            while not stop.is_set():
                try:
                    _, sender = udp.recvfrom(64)
                except TimeoutError:
                    continue
                udp.sendto(b"heard", sender)

        thread = threading.Thread(target=echo)
        thread.start()
        try:
            yield {"tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1]}
        finally:
            stop.set()
            thread.join()
