"""A TCP proxy whose cable can be pulled."""

import asyncio
import contextlib
import ssl
from typing import Self

from tasks.stack.ports import HOST, free_port

_CHUNK_BYTES = 64 * 1024


class Proxy:
    """Listens on a port of its own and forwards to `target`; `cut` breaks all connections and refuses new ones."""

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """With `tls` clients must speak it; the target never does."""
        self.port = free_port()
        self._target_port = target_port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.port, ssl=self._tls)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection(HOST, self._target_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(_forward(reader, onward))
                group.create_task(_forward(back, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            # asyncio.streams reports a handler that was cancelled as an error; nobody else awaits it.
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, onward):
                if end is not None:
                    end.transport.abort()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    raise ConnectionError("closed")
