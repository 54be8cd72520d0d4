"""A filter on system calls: what elaborating Lean never needs and an attacker would like.

A list of what is refused, not of what is allowed: Lean, Lake and the C libraries beneath them use several hundred
calls, different ones in each version, and a forgotten one would look like a defect of Lean. The filter is the second
wall for what namespaces or Landlock also forbid, and the only one for what they do not: sockets of every family, new
sessions (a process that left its group would escape the kill), and memory that outlives its process.

Assembled here, since the program is a few dozen lines and libseccomp's bindings are unmaintained.
"""

import ctypes
import errno
import os
import struct

# name: (x86-64, AArch64); None where the architecture has no such call. From asm/unistd_64.h and asm-generic/unistd.h.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fcntl": (72, 25),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semget": (64, 190),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "setsid": (112, 157),
    "settimeofday": (164, 170),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tkill": (200, 130),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}

# Refused with ENOSYS and not EPERM, since callers then take another way: glibc forks by clone, libuv polls.
_AS_IF_UNKNOWN = ("clone3", "io_uring_enter", "io_uring_register", "io_uring_setup")

# Their arguments decide; see `program`.
_BY_ARGUMENT = ("clone", "fcntl", "ioctl", "socket", "socketpair")

# The argument that names a process: itself (by 0 or by number) is allowed, everyone else is not. These need no more
# than the same user, and would let a REPL stop, starve or cripple its worker.
_ON_PROCESSES = {
    "kill": 0,
    "migrate_pages": 0,
    "move_pages": 0,
    "prlimit64": 0,
    "rt_sigqueueinfo": 0,
    "rt_tgsigqueueinfo": 0,
    "sched_setaffinity": 0,
    "sched_setattr": 0,
    "sched_setparam": 0,
    "sched_setscheduler": 0,
}
# The last two also take groups and users, "my own" among them, which is the worker's.
_ON_PROCESSES_REFUSED = ("pidfd_send_signal", "tkill", "ioprio_set", "setpriority")

_REFUSED = tuple(
    name for name in _NUMBERS if name not in {*_AS_IF_UNKNOWN, *_BY_ARGUMENT, *_ON_PROCESSES, *_ON_PROCESSES_REFUSED}
)

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_…
_X32_BIT = 0x40000000

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENTS = 0, 4, 16

_NEW_NAMESPACES = 0x7E020000 | 0x80  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET, TIME
_AF_UNIX = 1
_F_SETOWN, _F_SETOWN_EX = 8, 15  # a signal to whichever process is named, sent by the kernel
_TERMINAL_IOCTLS = (0x5412, 0x541C, 0x8901, 0x8902)  # TIOCSTI, TIOCLINUX, FIOSETOWN, SIOCSPGRP

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_PR_GET_SECCOMP = 21


def is_supported(machine: str) -> bool:
    """Whether this kernel takes filters and the calls of `machine` (as uname says it) are known here."""
    return machine in _ARCHITECTURES and ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def program(machine: str, *, pid: int | None) -> bytes:
    """The filter in the kernel's format (an array of `struct sock_filter`).

    Args:
        machine: as uname says it.
        pid: the process that may signal and limit itself and no other; None where others cannot be seen anyway.
    """
    column, architecture = _ARCHITECTURES[machine]
    code = [
        _instruction(_LOAD, _OFFSET_ARCHITECTURE),
        _instruction(_JUMP_EQUAL, architecture, 1, 0),
        _instruction(_RETURN, _KILL),  # another architecture's calls have other numbers
        _instruction(_LOAD, _OFFSET_NUMBER),
    ]
    if machine == "x86_64":
        code += [_instruction(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _refusal(errno.ENOSYS)]

    def on_call(name: str, body: list[bytes]) -> None:
        number = _NUMBERS[name][column]
        if number is not None:
            code.append(_instruction(_JUMP_EQUAL, number, 0, len(body)))
            code.extend(body)

    for name in _AS_IF_UNKNOWN:
        on_call(name, [_refusal(errno.ENOSYS)])
    for name in _REFUSED:
        on_call(name, [_refusal(errno.EPERM)])
    on_call("socket", [_refusal(errno.EACCES)])
    on_call("socketpair", _unless_equal(0, (_AF_UNIX,), errno.EACCES))
    on_call(
        "clone",
        [_argument(0), _instruction(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1), _refusal(errno.EPERM), _allowance()],
    )
    on_call("fcntl", _if_equal(1, (_F_SETOWN, _F_SETOWN_EX), errno.EPERM))
    on_call("ioctl", _if_equal(1, _TERMINAL_IOCTLS, errno.EPERM))
    if pid is not None:
        for name, position in _ON_PROCESSES.items():
            on_call(name, _unless_equal(position, (0, pid), errno.EPERM))
        for name in _ON_PROCESSES_REFUSED:
            on_call(name, [_refusal(errno.EPERM)])
    code.append(_allowance())
    return b"".join(code)


def install(filter_program: bytes) -> None:
    """Put this thread and all that comes of it under the filter, for ever. The caller has set no-new-privileges.

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(filter_program, len(filter_program))
    described = struct.pack("HxxxxxxQ", len(filter_program) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _refusal(number: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | number)


def _allowance() -> bytes:
    return _instruction(_RETURN, _ALLOW)


def _argument(position: int) -> bytes:
    """Load the low half of an argument: the kernel reads these as 32-bit integers itself."""
    return _instruction(_LOAD, _OFFSET_ARGUMENTS + 8 * position)


def _if_equal(position: int, values: tuple[int, ...], number: int) -> list[bytes]:
    return _compared(position, values, matched=_refusal(number), otherwise=_allowance())


def _unless_equal(position: int, values: tuple[int, ...], number: int) -> list[bytes]:
    return _compared(position, values, matched=_allowance(), otherwise=_refusal(number))


def _compared(position: int, values: tuple[int, ...], *, matched: bytes, otherwise: bytes) -> list[bytes]:
    tests = [_instruction(_JUMP_EQUAL, value, len(values) - at, 0) for at, value in enumerate(values)]
    return [_argument(position), *tests, otherwise, matched]
