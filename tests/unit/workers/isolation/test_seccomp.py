"""The filter's program, run by a reading of it that is independent of the kernel's."""

import errno
import re
import struct
from pathlib import Path

import pytest

from workers.isolation import seccomp

X86, ARM = 0xC000003E, 0xC00000B7
ALLOWED, KILLED = "allowed", "killed"
PID = 77

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def run(program: bytes, number: int, *arguments: int, architecture: int = X86) -> str | int:
    """What a filter says to a system call: allowed, killed, or the error's number."""
    data = struct.pack("<IIQ", number, architecture, 0) + struct.pack("<6Q", *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("HBBI", program))
    at, accumulator = 0, 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x45:
                at += if_true if accumulator & value else if_false
            case 0x06:
                return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(value) or value & 0xFFFF
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")


def number(name: str, column: int = 0) -> int:
    found = seccomp._NUMBERS[name][column]
    assert found is not None
    return found


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].is_file():
        pytest.skip(f"{HEADERS[machine]} is not installed")
    text = HEADERS[machine].read_text()
    known = {name: int(value) for name, value in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    for name, columns in seccomp._NUMBERS.items():
        expected = columns[0 if machine == "x86_64" else 1]
        if name in known or expected is None:
            assert known.get(name) == expected, name


def test_ordinary_calls_are_allowed() -> None:
    program = seccomp.program("x86_64", pid=PID)
    for ordinary in (0, 1, 9, 57, 59, 231):  # read, write, mmap, fork, execve, exit_group
        assert run(program, ordinary) == ALLOWED


@pytest.mark.parametrize("name", sorted(seccomp._REFUSED))
def test_refused_calls_are_refused_on_both_machines(name: str) -> None:
    assert run(seccomp.program("x86_64", pid=None), number(name)) == errno.EPERM
    if seccomp._NUMBERS[name][1] is not None:
        arm = seccomp.program("aarch64", pid=None)
        assert run(arm, number(name, 1), architecture=ARM) == errno.EPERM


def test_another_architectures_numbers_kill() -> None:
    program = seccomp.program("x86_64", pid=None)
    assert run(program, 0, architecture=0x40000003) == KILLED  # i386, by int 0x80
    assert run(program, 0x40000000 | 41) == errno.ENOSYS  # x32's socket
    assert run(seccomp.program("aarch64", pid=None), 0, architecture=X86) == KILLED


def test_sockets_of_every_family_are_refused_but_for_pairs() -> None:
    program = seccomp.program("x86_64", pid=None)
    for family in (1, 2, 10, 16, 17, 38, 40):  # unix, inet, inet6, netlink, packet, alg, vsock
        assert run(program, number("socket"), family) == errno.EACCES
    assert run(program, number("socketpair"), 1) == ALLOWED
    assert run(program, number("socketpair"), 2) == errno.EACCES


def test_threads_can_be_made_and_namespaces_not() -> None:
    program = seccomp.program("x86_64", pid=None)
    assert run(program, number("clone"), 0x3D0F00) == ALLOWED  # as glibc makes a thread
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
        assert run(program, number("clone"), flag | 17) == errno.EPERM
    assert run(program, number("clone3")) == errno.ENOSYS


def test_only_itself_may_be_signalled_among_others() -> None:
    program = seccomp.program("x86_64", pid=PID)
    for name in ("kill", "prlimit64", "sched_setaffinity", "rt_tgsigqueueinfo"):
        assert run(program, number(name), PID) == ALLOWED
        assert run(program, number(name), 0) == ALLOWED
        assert run(program, number(name), 1) == errno.EPERM
        assert run(program, number(name), 0xFFFFFFFF) == errno.EPERM  # everyone
    assert run(program, number("setpriority"), 2, 0) == errno.EPERM
    assert run(seccomp.program("x86_64", pid=None), number("kill"), 1) == ALLOWED


def test_the_kernel_is_not_asked_to_signal_others() -> None:
    program = seccomp.program("x86_64", pid=None)
    assert run(program, number("fcntl"), 3, 8) == errno.EPERM  # F_SETOWN
    assert run(program, number("fcntl"), 3, 15) == errno.EPERM
    assert run(program, number("fcntl"), 3, 4) == ALLOWED  # F_SETFL
    assert run(program, number("ioctl"), 0, 0x5412) == errno.EPERM  # TIOCSTI
    assert run(program, number("ioctl"), 0, 0x5401) == ALLOWED  # TCGETS
