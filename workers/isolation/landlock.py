"""Landlock, the kernel's own sandbox: no root, no namespaces, works inside of containers. By system call, since the
bindings that exist are young or unmaintained and all that is needed are three calls.

Numbers and layouts are from `linux/landlock.h`; the calls have the same number on every architecture. What a kernel
does not know yet must not be asked for, so everything depends on its ABI version.
"""

import ctypes
import os
import stat
import struct

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIRECTORY
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE  # the others make sense for folders only
_NETWORK = 0b11  # bind and connect of TCP sockets
_ABSTRACT_SOCKETS, _SIGNALS = 0b01, 0b10  # only to processes of the same sandbox

NETWORK_ABI, SCOPES_ABI = 4, 6  # since Linux 6.7, since 6.12; files since 5.13

_libc = ctypes.CDLL(None, use_errno=True)


def abi_version() -> int:
    """The version that this kernel offers; 0 for none: not built in, switched off, or withheld by a container."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)))


def handled_files(abi: int) -> int:
    """Every right on files that version `abi` can withhold."""
    bits = {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)
    return (1 << bits) - 1


def restrict(
    *, readable: list[str], listable: list[str], writable: list[str], devices: list[str], freezable: bool
) -> None:
    """Confine this thread and all that comes of it, for ever. The caller has set no-new-privileges.

    Args:
        readable: files and folders that may be read and executed; those that do not exist are passed over.
        listable: folders in which names may be listed.
        writable: folders in which everything may be done but making devices.
        devices: device files that may be read and written.
        freezable: leave abstract Unix sockets alone. CRIU has the process that it freezes connect to one, and kills it
            where that fails.

    Raises:
        OSError: the kernel refused.
    """
    abi = abi_version()
    handled = handled_files(abi)
    network, scopes = abi >= NETWORK_ABI, abi >= SCOPES_ABI
    scoped = _SIGNALS if freezable else _SIGNALS | _ABSTRACT_SOCKETS
    attributes = struct.pack("=QQQ", handled, _NETWORK * network, scoped * scopes)
    size = 8 * (1 + network + scopes)
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    try:
        everything = handled & ~(1 << 6 | 1 << 11)  # all but making character and block devices
        for paths, rights in (
            (readable, _READ),
            (listable, _READ_DIRECTORY),
            (writable, everything),
            (devices, _READ_FILE | _WRITE_FILE | _TRUNCATE),
        ):
            for path in paths:
                _allow(ruleset, path, rights & handled)
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"landlock: {os.strerror(number)}")
    return result
