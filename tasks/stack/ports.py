"""Free TCP ports on the loopback interface."""

import errno
import random
import socket
from collections import deque

from tasks.stack.errors import PortInUseError, StackError

HOST = "127.0.0.1"

# Below the range from which systems take the ports of outgoing connections (32768 on Linux, 49152 on macOS): a port
# that is free now is not taken by a passing client before its server binds it.
_RANGE = range(20_000, 32_000)
_TRIES = 200
_LAST_PORT = 65_535

# A server binds its port some time after it was told of it, and until then the port looks free to those who choose for
# the next one. Fewer than are tried.
_given: deque[int] = deque(maxlen=_TRIES // 2)
_chance = random.SystemRandom()  # not that of a program which wants to repeat itself


def free_ports(count: int) -> list[int]:
    """`count` different ports on which nothing listens at the moment, and which this process was not given of late.

    Raises:
        StackError: hardly any port is free.
    """
    found: list[int] = []
    for port in _chance.sample(_RANGE, _TRIES):
        if port not in _given and is_free(port):
            found.append(port)
            if len(found) == count:
                _given.extend(found)
                return found
    raise StackError(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop} on {HOST}")


def free_port() -> int:
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Raise StackError when the port cannot be bound for another reason than that it is taken."""
    if not 0 < port <= _LAST_PORT:
        raise StackError(f"{port} is no port: they go from 1 to {_LAST_PORT}")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that linger in TIME_WAIT are no obstacle, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise StackError(f"cannot listen on {HOST}:{port}: {error.strerror}") from error
    return True


def claim(port: int | None, *, option: str) -> int:
    """The port that was asked for, or a free one where none was.

    Args:
        port: as the user gave it.
        option: the command-line option that sets it, for the message.

    Raises:
        PortInUseError: something listens there.
    """
    if port is None:
        return free_port()
    if not is_free(port):
        raise PortInUseError(
            f"port {port} on {HOST} is in use: stop what listens there, or choose another with {option}"
        )
    return port
