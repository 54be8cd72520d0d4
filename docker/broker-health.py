# ruff: noqa: INP001 - it is copied into an image, and no part of a package
"""Whether the broker of this container answers. Without a client library, whose import takes ten times as long."""

import os
import socket

password = os.environb[b"BROKER_PASSWORD"]
with socket.create_connection(("127.0.0.1", 6379), timeout=2) as connection, connection.makefile("rb") as replies:
    connection.sendall(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n" % (len(password), password))
    for expected in (b"+OK\r\n", b"+PONG\r\n"):
        if (said := replies.readline()) != expected:
            raise SystemExit(f"the broker says {said!r}")
