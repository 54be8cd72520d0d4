"""Cutting a process's output into replies, however the pipe chops it up: no limit to a line, but one to a reply."""

from typing import Protocol


class ReplyTooLargeError(ValueError):
    """More bytes than a reply may have came without an end."""


class Framer(Protocol):
    """Collects output until a reply is whole. `pending_bytes` have come and belong to none yet."""

    @property
    def pending_bytes(self) -> int: ...

    def feed(self, data: bytes) -> list[bytes]:
        """The replies that `data` completes, in order.

        Raises:
            ReplyTooLargeError: the reply that is being read has grown past the limit.
        """


class BlankLineFramer:
    """Replies end with a blank line, which JSON cannot hold: its strings have no raw line breaks."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._scanned = 0  # no end begins before here

    @property
    def pending_bytes(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        if not self._buffer and data.endswith(b"\n\n") and data.find(b"\n\n") == len(data) - 2:
            # One read, one reply: nearly always so, and then nothing need be copied.
            return [] if data.isspace() else [data]
        self._buffer += data
        frames = []
        while (end := self._buffer.find(b"\n\n", self._scanned)) >= 0:
            frame = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            self._scanned = 0
            if frame and not frame.isspace():  # more blank lines than one between two replies
                frames.append(frame)
        # The first half of an end may have come.
        self._scanned = max(0, len(self._buffer) - 1)
        if len(self._buffer) > self._max_bytes:
            raise ReplyTooLargeError(f"more than {self._max_bytes:,} bytes without the end of a reply")
        return frames
