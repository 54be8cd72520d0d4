"""A TCP proxy whose cable can be pulled, and which can spoil connections in other ways."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import Self

from tasks.stack.ports import HOST, free_port

_CHUNK_BYTES = 64 * 1024
# So long an answer's connection is kept for a client that is still sending.
_LINGER_SECONDS = 2.0


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    task: "asyncio.Task[None]"
    is_half_open: bool = False


class Proxy:
    """Listens on a port of its own and forwards to `target`; `cut` breaks all connections and refuses new ones.

    What else can be set at any time:
        delay_seconds: every piece of data waits for so long, in both directions.
        loses_answers: what is asked arrives and is done; at the first byte of the answer the connection breaks.
        instead: bytes with which every connection is answered at once, in place of the target's answer.
    """

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """With `tls` clients must speak it; the target never does."""
        self.port = free_port()
        self.delay_seconds = 0.0
        self.loses_answers = False
        self.instead = b""
        self._target_port = target_port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        self.delay_seconds, self.loses_answers, self.instead = 0.0, False, b""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.port, ssl=self._tls)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = [link.task for link in self._links]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def forget_links(self) -> int:
        """Leave all connections half open, as a router that has lost its table: nothing passes, and no end is told."""
        for link in self._links:
            link.is_half_open = True
        return len(self._links)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = _Link(task)
        self._links.add(link)
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection(HOST, self._target_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(link, reader, onward, writer))
                group.create_task(self._answer(link, back, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            # asyncio.streams reports a handler that was cancelled as an error; nobody else awaits it.
            pass
        finally:
            self._links.discard(link)
            for end in (writer, onward):
                if end is not None:
                    end.transport.abort()

    async def _ask(
        self, link: _Link, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await asyncio.sleep(self.delay_seconds)
            if link.is_half_open:
                continue
            if self.instead:
                writer.write(self.instead)
                writer.write_eof()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LINGER_SECONDS):
                        while await reader.read(_CHUNK_BYTES):
                            pass
                break
            onward.write(data)
            await onward.drain()
        raise ConnectionError("closed")

    async def _answer(self, link: _Link, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await back.read(_CHUNK_BYTES):
            await asyncio.sleep(self.delay_seconds)
            if link.is_half_open:
                continue
            if self.loses_answers:
                break
            writer.write(data)
            await writer.drain()
        if link.is_half_open:
            await asyncio.Event().wait()  # until the client closes it
        raise ConnectionError("closed")
