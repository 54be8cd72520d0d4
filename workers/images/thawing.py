"""Thawing: starting a REPL from an image. What comes of it is a process like any other, in a pid namespace of its own.

The namespace is needed, since a process is restored under the number that it had, and there may be many copies. Killing
its first process ends them all at once: nothing in it can escape.
"""

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from producer.errors import ReplError
from workers.guard import Guard
from workers.images.criu import Criu
from workers.images.errors import ImageError
from workers.images.freezing import reason
from workers.images.image import Image
from workers.isolation.enclosure import Enclosures
from workers.launch import Launch
from workers.memory import GroupMemory
from workers.process import AsyncLeanREPLProcess
from workers.protocol.adapter import Adapter

# A thaw takes as long as reading the image does. CRIU may hang, on a damaged one for example.
_THAW_SECONDS = 10.0
_BYTES_PER_SECOND = 20_000_000

_numbers = itertools.count()


@contextmanager
def restoring(image: Image, launch: Launch, criu: Criu, fence: Enclosures | None) -> Iterator[Launch]:
    """What is run for a copy of `image`; `launch` is how a REPL is started otherwise.

    With a `fence` the copy lives behind it and has a private folder, which is deleted with the context.

    Raises:
        ImageError: the image was not made for that.
        OSError: there is no room for its folder.
    """
    warm = image.warm
    if (fence is None) == bool(warm.folder):
        raise ImageError("the image was made for REPLs that are isolated in another way")
    if fence is None:
        command = criu.restore(image.folder, warm.pipes, image.folder / _log_name())
        yield dataclasses.replace(launch, command=command, nested=True)
        return
    readable = (image.folder, Path(criu.program))
    inner = dataclasses.replace(launch, nested=True)
    with fence.thawing(inner, was=Path(warm.folder), owner=warm.owner, readable=readable) as outer:
        assert outer.folder is not None  # noqa: S101 - fenced ones have one
        command = criu.restore_here(image.folder, warm.pipes, outer.folder / _log_name())
        yield dataclasses.replace(outer, command=(*outer.command[: -len(launch.command)], *command))


def _log_name() -> str:
    return f"restore-{os.getpid()}-{next(_numbers)}.log"


async def thaw(
    image: Image,
    launch: Launch,
    adapter: Adapter,
    *,
    guard: Guard | None,
    memory: GroupMemory | None = None,
    max_reply_bytes: int,
    stderr_tail_bytes: int,
    on_end: Callable[[], None] | None = None,
    started: Callable[[AsyncLeanREPLProcess], None] | None = None,
    timeout_seconds: float = 0.0,
) -> AsyncLeanREPLProcess:
    """A REPL that goes on where `image` was made, and has answered once. The arguments are those of a process.

    `launch` is what `restoring` gives. `timeout_seconds` is until it has answered; 0: by the image's size. `started` is
    given the process as soon as there is one, before it has answered: for who must end it at any time.

    Raises:
        ImageError: it did not come up.
    """
    if why := image.changed():
        raise ImageError(why)
    timeout_seconds = timeout_seconds or _THAW_SECONDS + image.size_bytes / _BYTES_PER_SECOND
    log = Path(launch.command[-1])
    try:
        process = AsyncLeanREPLProcess(
            launch,
            adapter,
            guard=guard,
            memory=memory,
            max_reply_bytes=max_reply_bytes,
            stderr_tail_bytes=stderr_tail_bytes,
            on_end=on_end,
        )
    except ReplError as error:
        raise ImageError(error.message) from error
    try:
        if started is not None:
            started(process)
        await process.send(adapter.greeting(), timeout_seconds=timeout_seconds)
    except BaseException as error:
        await process.close()
        if isinstance(error, ReplError):
            raise ImageError(f"a REPL did not thaw: {reason(log) or error.message}") from error
        raise
    finally:
        log.unlink(missing_ok=True)  # noqa: ASYNC240 - one file, of a few bytes
    return process
