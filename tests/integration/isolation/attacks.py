"""Hostile stand-ins for a REPL, and a stand-in for its worker: `python -I -S attacks.py NAME ARGUMENT …`.

Each attack prints what it achieved as one line of JSON. They are bounded: none does harm where nothing stops it, other
than to the processes and files that it is told of. Only the standard library, since they run inside of the fence.
"""

import contextlib
import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_CLONE_NEWUSER = 0x10000000
_MAP_NORESERVE = 0x4000
_IPC_CREAT = 0o1000


def serve(_marker: str) -> None:
    """The worker: it answers every line."""
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()


def environment() -> object:
    return dict(os.environ)


def environments(secret: str) -> object:
    """How many processes show an environment with `secret` in it."""
    return sum(secret.encode() in text for text in _of_all_processes("environ"))


def memory_of(pid: str) -> object:
    """Whether another process's memory can be read."""
    try:
        with Path(f"/proc/{pid}/mem").open("rb"):
            return True
    except OSError:
        return False


def trace(pid: str) -> object:
    attached = _libc.ptrace(16, int(pid), None, None) == 0  # PTRACE_ATTACH
    if attached:
        os.waitpid(int(pid), 0)
        _libc.ptrace(17, int(pid), None, None)  # PTRACE_DETACH
    return attached


def descriptors() -> object:
    """What is open beside the three pipes."""
    found = []
    for number in range(3, 256):
        with contextlib.suppress(OSError):
            found.append(str(Path(f"/proc/self/fd/{number}").readlink()))
    return found


def read(path: str) -> object:
    try:
        return Path(path).read_text()
    except OSError:
        return None


def write(path: str) -> object:
    try:
        Path(path).write_text("hostile")
    except OSError:
        return False
    return True


def remove(path: str) -> object:
    try:
        Path(path).unlink()
    except OSError:
        return False
    return True


def link(source: str, target: str) -> object:
    """Whether a file can be linked into the private folder, from where the worker would read it."""
    try:
        Path(target).hardlink_to(source)
    except OSError:
        return False
    return True


def connect(port: str) -> object:
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5):
            return True
    except OSError:
        return False


def datagram(port: str) -> object:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            plain.connect(("127.0.0.1", int(port)))
            plain.send(b"hostile")
            plain.settimeout(5)
            return plain.recv(16) == b"heard"
    except OSError:
        return False


def connect_unix(path: str) -> object:
    """A path, or a name in the abstract namespace where it begins with @."""
    try:
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect("\0" + path[1:] if path.startswith("@") else path)
            return True
    except OSError:
        return False


def listen() -> object:
    try:
        with socket.socket() as plain:
            plain.bind(("127.0.0.1", 0))
            plain.listen()
            return True
    except OSError:
        return False


def fork(most: str) -> object:
    """How many processes it can have at a time, at most `most`."""
    count = 0
    waiting, end = os.pipe()
    try:
        for _ in range(int(most)):
            if os.fork() == 0:
                os.close(end)
                os.read(waiting, 1)
                os._exit(0)
            count += 1
    except OSError:
        pass
    os.close(end)
    for _ in range(count):
        os.wait()
    return count


def reserve(size: str) -> object:
    """Private memory, asked for and not touched."""
    try:
        mmap.mmap(-1, int(size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE).close()
    except (OSError, MemoryError):
        return False
    return True


def reserve_shared(size: str) -> object:
    try:
        mmap.mmap(-1, int(size), flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _MAP_NORESERVE).close()
    except (OSError, MemoryError):
        return False
    return True


def hide_memory(size: str) -> object:
    """Memory that belongs to no process: it outlives this one, or counts for none."""
    ways = []
    segment = _libc.shmget(0, ctypes.c_size_t(int(size)), _IPC_CREAT | 0o600)
    if segment >= 0:
        _libc.shmctl(segment, 0, None)  # IPC_RMID
        ways.append("shmget")
    with contextlib.suppress(OSError):
        os.close(os.memfd_create("hostile"))
        ways.append("memfd")
    with contextlib.suppress(OSError):
        path = Path("/dev/shm/leanfleet-hostile")  # noqa: S108 - an attacker's choice
        path.write_bytes(b"x")
        path.unlink()
        ways.append("shm folder")
    return ways


def fill(path: str, size: str) -> object:
    """How much can be written to one file, at most `size`."""
    block = bytes(1 << 20)
    written = 0
    try:
        with Path(path).open("wb", buffering=0) as file:
            while written < int(size):
                written += file.write(block)
    except OSError:
        pass
    with contextlib.suppress(OSError):
        Path(path).unlink()
    return written


def fill_folder(folder: str, files: str, size: str) -> object:
    """How much can be written to a folder in many files."""
    written = 0
    with contextlib.suppress(OSError):
        for number in range(int(files)):
            with Path(folder, f"f{number}").open("wb", buffering=0) as file:
                for _ in range(int(size) >> 20):
                    written += file.write(bytes(1 << 20))
    for number in range(int(files)):
        with contextlib.suppress(OSError):
            Path(folder, f"f{number}").unlink()
    return written


def terminate(marker: str, pid: str) -> object:
    """Whether any process with `marker` in its command line, or of that number, takes a signal."""
    done = False
    for found in {int(pid), *_with_marker(marker)}:
        with contextlib.suppress(OSError):
            # A number that means another process in here would be one of ours: never itself, never a group.
            if found not in (1, os.getpid()):
                os.kill(found, signal.SIGTERM)
                done = True
    return done


def own_signal(pid: str) -> object:
    """Whether the kernel can be made to send SIGIO to a process, whose default is to die of it."""
    reader, writer = os.pipe()
    fcntl_setown, fcntl_setfl, o_async, f_getfl = 8, 4, 0o20000, 3
    if _libc.fcntl(reader, fcntl_setown, int(pid)) != 0:
        return False
    if _libc.fcntl(reader, fcntl_setfl, _libc.fcntl(reader, f_getfl) | o_async) != 0:
        return False
    os.write(writer, b"x")
    return True


def cripple(pid: str) -> object:
    """Whether another process's limits can be changed."""
    try:
        resource.prlimit(int(pid), resource.RLIMIT_NOFILE, (64, 64))
    except OSError:
        return False
    return True


def slow_down(pid: str) -> object:
    try:
        os.setpriority(os.PRIO_PROCESS, int(pid), 19)
    except OSError:
        return False
    return True


def new_namespace() -> object:
    """Whether it can become root of a user namespace, from where most of the kernel's holes are reached."""
    return _libc.unshare(_CLONE_NEWUSER) == 0


def status() -> object:
    """Who it is, in the kernel's words."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def limits() -> object:
    names = ("RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
    return {name: resource.getrlimit(getattr(resource, name))[1] for name in names}


def raise_limit() -> object:
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        return False
    return True


def scatter(marker: str) -> None:
    """Children in sessions of their own where that is possible, which then wait, as this process does."""
    sessions = 0
    for _ in range(3):
        reader, writer = os.pipe()
        if os.fork() == 0:
            made = b"0"
            with contextlib.suppress(OSError):
                os.setsid()
                made = b"1"
            if os.fork() == 0:
                os.write(writer, made)
                os.execv(sys.executable, (sys.executable, "-I", "-S", __file__, "wait", marker))  # noqa: S606
            os._exit(0)
        sessions += os.read(reader, 1) == b"1"
        os.wait()
    sys.stdout.write(json.dumps(sessions) + "\n")
    sys.stdout.flush()
    wait(marker)


def wait(_marker: str) -> None:
    """A minute, so that a test that fails leaves nothing behind for long."""
    for _ in range(600):
        time.sleep(0.1)


def _of_all_processes(name: str) -> Iterator[bytes]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                yield (folder / name).read_bytes()


def _with_marker(marker: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if b"serve" in words and marker.encode() in words:
                    found.append(int(folder.name))
    return found


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    if sys.argv[1] not in ("serve", "scatter", "wait"):
        sys.stdout.write(json.dumps(result) + "\n")
